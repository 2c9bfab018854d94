package redislimit_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"

	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/redislimit"
)

// A contender makes decisions about one key. All grant a permit each time, on the same
// server, with a client of their own.
type contender struct {
	name string
	make func(*redis.Client) func(context.Context) (bool, error)
}

const perSecond = 1_000_000_000 // more than anybody can ask for

var contenders = []contender{
	{"redis_rate", func(c *redis.Client) func(context.Context) (bool, error) {
		l := redis_rate.NewLimiter(c)
		limit := redis_rate.Limit{Rate: 1_000_000, Period: time.Second, Burst: 1_000_000}
		return func(ctx context.Context) (bool, error) {
			r, err := l.Allow(ctx, "a", limit)
			return err == nil && r.Allowed == 1, err
		}
	}},
	{"redislimit", func(c *redis.Client) func(context.Context) (bool, error) {
		l := redislimit.New[string](c, ratelimit.Per(1_000_000, time.Second), 1_000_000,
			redislimit.WithTimeout(patient), redislimit.OnFailure(redislimit.FailClosed))
		return func(ctx context.Context) (bool, error) { return l.Allow(ctx, "a") }
	}},
	{"redislimit, local", func(c *redis.Client) func(context.Context) (bool, error) {
		l := redislimit.New[string](c, ratelimit.Per(1_000_000, time.Second), 1_000_000, redislimit.WithTimeout(patient))
		return func(ctx context.Context) (bool, error) { return l.Allow(ctx, "b") }
	}},
	{"leases of 50", func(c *redis.Client) func(context.Context) (bool, error) {
		l := redislimit.New[string](c, ratelimit.Per(perSecond, time.Second), perSecond,
			redislimit.WithTimeout(patient), redislimit.WithLease(50, time.Second))
		return func(ctx context.Context) (bool, error) { return l.Allow(ctx, "c") }
	}},
}

// BenchmarkDecision is a decision, by one goroutine and by 32. In one run the contenders
// take turns, so that what else the machine does hits them all.
func BenchmarkDecision(b *testing.B) {
	s, _ := server(b)
	for _, goroutines := range []int{1, 32} {
		for _, c := range contenders {
			allow := c.make(connect(b, s.Addr()))
			b.Run(c.name+map[int]string{1: "/1", 32: "/32"}[goroutines], func(b *testing.B) {
				ctx := context.Background()
				var wg sync.WaitGroup
				for g := range goroutines {
					wg.Go(func() {
						for range b.N/goroutines + min(1, max(0, b.N%goroutines-g)) {
							if ok, err := allow(ctx); !ok || err != nil {
								b.Errorf("%v, %v", ok, err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
			})
		}
	}
}
