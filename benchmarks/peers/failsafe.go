package peers

import (
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go/ratelimiter"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func init() {
	work.Add(work.Peer{Name: "failsafe", Module: "github.com/failsafe-go/failsafe-go", Allow: failsafeAllow})
}

func failsafeAllow(_ testing.TB, granting bool) func() bool {
	if granting {
		return ratelimiter.NewBursty[any](1<<40, 1<<40*time.Nanosecond).TryAcquirePermit
	}
	l := ratelimiter.NewBursty[any](1, time.Hour)
	l.TryAcquirePermit()
	return l.TryAcquirePermit
}
