package benchmarks

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/tandemgo/tandem/inflight"
)

// A weighing takes a weight of 1 for the time of a function.
type weighing func(ctx context.Context, work func()) error

var weighings = []struct {
	name string
	make func(limit int) weighing
}{
	{"tandem", func(limit int) weighing { return weighed(inflight.New(limit)) }},
	{"tandem-adaptive", func(limit int) weighing {
		return weighed(inflight.NewAdaptive(limit, limit, inflight.Vegas()))
	}},
	{"semaphore", func(limit int) weighing {
		s := semaphore.NewWeighted(int64(limit))
		return func(ctx context.Context, work func()) error {
			if err := s.Acquire(ctx, 1); err != nil {
				return err
			}
			work()
			s.Release(1)
			return nil
		}
	}},
	{"channel", func(limit int) weighing {
		ch := make(chan struct{}, limit)
		return func(ctx context.Context, work func()) error {
			select {
			case ch <- struct{}{}:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			work()
			<-ch
			return nil
		}
	}},
}

func weighed(l *inflight.Limiter) weighing {
	return func(ctx context.Context, work func()) error {
		p, err := l.Acquire(ctx, 1)
		if err != nil {
			return err
		}
		work()
		p.Release(inflight.Success)
		return nil
	}
}

// BenchmarkInFlight acquires and releases: alone; on all processors, with room for all; by
// eight goroutines a processor, with room for one each processor. Those do nothing while they
// hold it, work for a microsecond, or give way to others, as if they waited for something. All
// that there is room for is held until they wait.
func BenchmarkInFlight(b *testing.B) {
	procs := runtime.GOMAXPROCS(0)
	for _, c := range []struct {
		name              string
		limit, goroutines int
		held              func()
	}{
		{"alone", 8, 1, func() {}},
		{"room", 1 << 20, 8 * procs, func() {}},
		{"contended", procs, 8 * procs, func() {}},
		{"working", procs, 8 * procs, func() { spinFor(time.Microsecond) }},
		{"waiting", procs, 8 * procs, runtime.Gosched},
	} {
		for _, lib := range weighings {
			b.Run("case="+c.name+"/lib="+lib.name, func(b *testing.B) {
				do, ctx := lib.make(c.limit), b.Context()
				before := cpu(b)
				measure(b, func(ops int) {
					var held, wg sync.WaitGroup
					open := make(chan struct{})
					if c.limit < c.goroutines {
						for range c.limit {
							held.Add(1)
							wg.Go(func() {
								if err := do(ctx, func() { held.Done(); <-open }); err != nil {
									b.Error(err)
								}
							})
						}
					}
					held.Wait()
					for i := range c.goroutines {
						n := ops / c.goroutines
						if i < ops%c.goroutines {
							n++
						}
						wg.Go(func() {
							for range n {
								if err := do(ctx, c.held); err != nil {
									b.Error(err)
								}
							}
						})
					}
					for range c.goroutines {
						runtime.Gosched()
					}
					close(open)
					wg.Wait()
				})
				if !*countParks {
					b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
				}
			})
		}
	}
}

func spinFor(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
	}
}
