package benchmarks

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go/ratelimiter"
	juju "github.com/juju/ratelimit"
	uber "go.uber.org/ratelimit"
	"golang.org/x/time/rate"

	"github.com/tandemgo/tandem/ratelimit"
)

// limiterOf makes a limiter that always says yes, or always no, nil if the library
// has none.
type limiterOf func(granting bool) (allow func() bool, stop func())

const manyPermits = 1 << 50

var limiters = map[string]limiterOf{
	"tandem": func(granting bool) (func() bool, func()) {
		if granting {
			return ratelimit.New(ratelimit.Per(1e9, time.Second), manyPermits).Allow, func() {}
		}
		return ratelimit.New(ratelimit.Every(time.Hour), 1, ratelimit.WithSpent(1)).Allow, func() {}
	},
	"xtime": func(granting bool) (func() bool, func()) {
		if granting {
			return rate.NewLimiter(1e9, manyPermits).Allow, func() {}
		}
		l := rate.NewLimiter(rate.Every(time.Hour), 1)
		l.Allow()
		return l.Allow, func() {}
	},
	"juju": func(granting bool) (func() bool, func()) {
		b := juju.NewBucket(time.Nanosecond, manyPermits)
		if !granting {
			b = juju.NewBucket(time.Hour, 1)
			b.TakeAvailable(1)
		}
		return func() bool { return b.TakeAvailable(1) == 1 }, func() {}
	},
	"failsafe": func(granting bool) (func() bool, func()) {
		if granting {
			return ratelimiter.NewBursty[any](1<<40, 1<<40*time.Nanosecond).TryAcquirePermit, func() {}
		}
		l := ratelimiter.NewBursty[any](1, time.Hour)
		l.TryAcquirePermit()
		return l.TryAcquirePermit, func() {}
	},
	// It can only wait, so at a rate at which there is nothing to wait for.
	"uber": func(granting bool) (func() bool, func()) {
		if !granting {
			return nil, nil
		}
		l := uber.New(1e9)
		return func() bool { l.Take(); return true }, func() {}
	},
	// A mutex, in truth: no channel counts that far.
	"channels": func(granting bool) (func() bool, func()) {
		var mu sync.Mutex
		tokens, last := 0.0, time.Now()
		if granting {
			tokens = manyPermits
		}
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			now := time.Now()
			tokens += now.Sub(last).Hours()
			last = now
			if tokens < 1 {
				return false
			}
			tokens--
			return true
		}, func() {}
	},
	// It can only be measured saying no: it has as many tokens as its rate.
	"classic": func(granting bool) (func() bool, func()) {
		if granting {
			return nil, nil
		}
		l := newClassicLimiter(1)
		l.allow()
		return l.allow, func() { close(l.done) }
	},
	// What every limiter has to do at least.
	"clock": func(granting bool) (func() bool, func()) {
		base := time.Now()
		return func() bool { return (time.Since(base) >= 0) == granting }, func() {}
	},
}

// BenchmarkAllow asks a limiter that always says yes, alone and from eight
// goroutines a processor, and one that always says no.
func BenchmarkAllow(b *testing.B) {
	for _, lib := range []string{"clock", "tandem", "xtime", "juju", "uber", "failsafe", "channels", "classic"} {
		for _, granting := range []bool{true, false} {
			allow, stop := limiters[lib](granting)
			if allow == nil {
				continue
			}
			answer := map[bool]string{true: "yes", false: "no"}[granting]
			b.Run("answer="+answer+"/procs=one/lib="+lib, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if allow() != granting && lib != "classic" {
						b.Fatal("the wrong answer")
					}
				}
			})
			b.Run("answer="+answer+"/procs=all/lib="+lib, func(b *testing.B) {
				b.ReportAllocs()
				b.SetParallelism(8)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if allow() != granting && lib != "classic" {
							b.Error("the wrong answer")
						}
					}
				})
			})
			stop()
		}
	}
}

// BenchmarkReserve takes permits that need not be waited for.
func BenchmarkReserve(b *testing.B) {
	b.Run("lib=tandem", func(b *testing.B) {
		b.ReportAllocs()
		l := ratelimit.New(ratelimit.Per(1e9, time.Second), manyPermits)
		for b.Loop() {
			if l.Reserve().Delay() != 0 {
				b.Fatal("not at once")
			}
		}
	})
	b.Run("lib=xtime", func(b *testing.B) {
		b.ReportAllocs()
		l := rate.NewLimiter(1e9, manyPermits)
		for b.Loop() {
			if l.Reserve().Delay() != 0 {
				b.Fatal("not at once")
			}
		}
	})
}

// BenchmarkWaitNotNeeded waits for permits that are there.
func BenchmarkWaitNotNeeded(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for lib, wait := range map[string]func(context.Context) error{
		"tandem": ratelimit.New(ratelimit.Per(1e9, time.Second), manyPermits).Wait,
		"xtime":  rate.NewLimiter(1e9, manyPermits).Wait,
	} {
		b.Run("lib="+lib, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := wait(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
