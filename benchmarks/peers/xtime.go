package peers

import (
	"context"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func init() {
	work.Add(work.Peer{
		Name:    "xtime",
		Module:  "golang.org/x/time",
		Allow:   xtimeAllow,
		Reserve: xtimeReserve,
		Wait:    xtimeWait,
	})
	work.Add(work.Peer{Name: "xtime-map", Module: "golang.org/x/time", Keyed: xtimeKeyed})
}

func xtimeAllow(_ testing.TB, granting bool) func() bool {
	if granting {
		return rate.NewLimiter(1e9, manyPermits).Allow
	}
	l := rate.NewLimiter(rate.Every(time.Hour), 1)
	l.Allow()
	return l.Allow
}

func xtimeReserve(testing.TB, bool) func() bool {
	l := rate.NewLimiter(1e9, manyPermits)
	return func() bool { return l.Reserve().Delay() == 0 }
}

func xtimeWait(perSecond, burst int) func(context.Context) error {
	l := rate.NewLimiter(rate.Limit(perSecond), burst)
	l.AllowN(time.Now(), burst)
	return l.Wait
}

// xtimeKeyed is the common map of limiters, which never removes one.
func xtimeKeyed(testing.TB) func(string) bool {
	var m sync.Map
	return func(key string) bool {
		l, ok := m.Load(key)
		if !ok {
			l, _ = m.LoadOrStore(key, rate.NewLimiter(rate.Every(time.Hour), 1<<40))
		}
		return l.(*rate.Limiter).Allow()
	}
}
