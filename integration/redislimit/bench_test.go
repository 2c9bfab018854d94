package redislimit_test

import (
	"context"
	"flag"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"

	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/redislimit"
)

// A contender makes decisions. All grant a permit each time, on the same server, each
// with a client of its own.
type contender struct {
	name string
	make func(*redis.Client) func(context.Context, string) (bool, error)
}

const plenty = 1_000_000 // a second, and at once

func ours(opts ...redislimit.Option) func(*redis.Client) func(context.Context, string) (bool, error) {
	return func(c *redis.Client) func(context.Context, string) (bool, error) {
		return redislimit.New[string](c, ratelimit.Per(plenty, time.Second), 1000*plenty, append(opts, redislimit.WithTimeout(patient))...).Allow
	}
}

var contenders = []contender{
	{"redis_rate", func(c *redis.Client) func(context.Context, string) (bool, error) {
		l := redis_rate.NewLimiter(c)
		limit := redis_rate.Limit{Rate: plenty, Period: time.Second, Burst: 1000 * plenty}
		return func(ctx context.Context, key string) (bool, error) {
			r, err := l.Allow(ctx, key, limit)
			return err == nil && r.Allowed == 1, err
		}
	}},
	{"redislimit", ours()},
	{"lease50", ours(redislimit.WithLease(50, time.Second), redislimit.WithPrefix("50:"))},
}

var rounds = flag.Int("rounds", 1, "how often contenders take turns in a benchmark")

// BenchmarkDecision is a decision: by one goroutine, by 32 about a key each, and by 32
// about one key. In one run the contenders take turns, so that what else the machine does
// hits them all.
func BenchmarkDecision(b *testing.B) {
	s, _ := server(b)
	for _, run := range []struct {
		name             string
		goroutines, keys int
	}{{"1", 1, 1}, {"32", 32, 32}, {"32on1", 32, 1}} {
		var allows []func(context.Context, string) (bool, error)
		for _, c := range contenders {
			allows = append(allows, c.make(connect(b, s.Addr())))
		}
		for turn := range *rounds * len(contenders) {
			i := turn % len(contenders)
			b.Run(run.name+"/"+contenders[i].name, func(b *testing.B) { decide(b, allows[i], run.goroutines, run.keys) })
		}
	}
}

func decide(b *testing.B, allow func(context.Context, string) (bool, error), goroutines, keys int) {
	var wg sync.WaitGroup
	for g := range goroutines {
		key := strconv.Itoa(g % keys)
		wg.Go(func() {
			for range b.N/goroutines + min(1, max(0, b.N%goroutines-g)) {
				if ok, err := allow(context.Background(), key); !ok || err != nil {
					b.Errorf("%v, %v", ok, err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
}
