package redislimit_test

import (
	"context"
	"flag"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"

	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/redislimit"
)

// A contender makes decisions. All contenders grant one permit each time, on the same
// server, each with its own client.
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
	{"lease1M", ours(redislimit.WithLease(1<<20, time.Minute), redislimit.WithPrefix("1M:"))}, // the work of this process alone
}

var rounds = flag.Int("rounds", 1, "how often contenders take turns in a benchmark")

// BenchmarkDecision is a decision: by one goroutine, by 32 goroutines with a key each,
// and by 32 goroutines with one key. In one run the contenders take turns, so that
// other load on the machine affects all of them.
func BenchmarkDecision(b *testing.B) {
	s, straight := server(b)
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
			b.Run(run.name+"/"+contenders[i].name, func(b *testing.B) {
				decide(b, straight, allows[i], run.goroutines, run.keys)
			})
		}
	}
}

// decide reports the time, and the processor time that the server and this process have
// used for a decision, which depends less on other load.
func decide(b *testing.B, server *redis.Client, allow func(context.Context, string) (bool, error), goroutines, keys int) {
	serverCPU, ownCPU := cpuOf(b, server), cpu(b)
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
	n := float64(b.N)
	b.ReportMetric(n/b.Elapsed().Seconds(), "decisions/s")
	b.ReportMetric((cpuOf(b, server)-serverCPU)*1e6/n, "server-µs")
	b.ReportMetric((cpu(b)-ownCPU)*1e6/n, "client-µs")
}

// cpuOf returns the processor time that a server has used, in seconds.
func cpuOf(b *testing.B, server *redis.Client) (seconds float64) {
	b.Helper()
	info, err := server.Info(context.Background(), "cpu").Result()
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && (name == "used_cpu_user" || name == "used_cpu_sys") {
			x, err := strconv.ParseFloat(value, 64)
			if err != nil {
				b.Fatal(err)
			}
			seconds += x
		}
	}
	return seconds
}

// cpu returns the processor time that this process has used, in seconds.
func cpu(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
