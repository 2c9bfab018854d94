package benchmarks

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/tandemgo/tandem/ratelimit"
)

// cpu returns how much processor time the program has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkWaitRate waits for permits at a million a second, from eight
// goroutines, for two seconds of real time. of-rate is how many were granted in
// terms of burst + rate·t; more than 1 is a broken promise. The burst is what a
// machine needs that wakes a sleeper some milliseconds late.
func BenchmarkWaitRate(b *testing.B) {
	const perSecond, burst, length = 1_000_000, 20_000, 2 * time.Second
	waits := map[string]func() func(context.Context) error{
		"tandem": func() func(context.Context) error {
			return ratelimit.New(ratelimit.Per(perSecond, time.Second), burst, ratelimit.WithSpent(burst)).Wait
		},
		"xtime": func() func(context.Context) error {
			l := rate.NewLimiter(perSecond, burst)
			l.AllowN(time.Now(), burst)
			return l.Wait
		},
	}
	for _, lib := range []string{"tandem", "xtime"} {
		b.Run("lib="+lib, func(b *testing.B) {
			for b.Loop() {
				start := time.Now()
				wait := waits[lib]()
				var granted atomic.Int64
				var wg sync.WaitGroup
				for range 8 {
					wg.Go(func() {
						n := int64(0)
						for n%64 != 0 || time.Since(start) < length {
							if wait(context.Background()) != nil {
								return
							}
							n++
						}
						granted.Add(n)
					})
				}
				wg.Wait()
				took := time.Since(start)
				b.ReportMetric(float64(granted.Load())/(perSecond*took.Seconds()), "of-rate")
				if float64(granted.Load()) > burst+perSecond*took.Seconds() && lib == "tandem" {
					b.Errorf("%d permits in %v", granted.Load(), took)
				}
			}
		})
	}
}

// BenchmarkWaiters has a thousand goroutines wait, of which a hundred a second are
// served, for two seconds of real time. cpu-s/s is what that costs.
func BenchmarkWaiters(b *testing.B) {
	const length = 2 * time.Second
	for _, lib := range []string{"tandem", "xtime"} {
		b.Run("lib="+lib, func(b *testing.B) {
			for b.Loop() {
				wait := rate.NewLimiter(100, 1).Wait
				if lib == "tandem" {
					wait = ratelimit.New(ratelimit.Per(100, time.Second), 1).Wait
				}
				ctx, cancel := context.WithCancel(context.Background())
				var granted atomic.Int64
				var wg sync.WaitGroup
				before := cpu(b)
				for range 1000 {
					wg.Go(func() {
						if wait(ctx) == nil {
							granted.Add(1)
						}
					})
				}
				time.Sleep(length)
				used := cpu(b) - before
				cancel()
				wg.Wait()
				b.ReportMetric(used.Seconds()/length.Seconds(), "cpu-s/s")
				b.ReportMetric(float64(granted.Load()), "granted")
			}
		})
	}
}
