package redislimit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tandemgo/tandem/internal/takertest"
	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/redislimit"
)

// R1: two processes with different limits on one key are granted together at most the
// larger burst and the higher rate, with leases and without, though both ask all the
// time and one waits.
func TestR1TwoLimitsOnOneKey(t *testing.T) {
	t.Parallel()
	const ttl = 20 * time.Millisecond
	s, _ := server(t)
	limit := func(permits, burst int) func(string, ...redislimit.Option) *redislimit.Limiter[string] {
		return func(prefix string, opts ...redislimit.Option) *redislimit.Limiter[string] {
			return redislimit.New[string](connect(t, s.Addr()), ratelimit.Per(permits, time.Second), burst,
				append(opts, redislimit.WithPrefix(prefix), redislimit.WithTimeout(patient), redislimit.WithFailurePolicy(redislimit.FailClosed))...)
		}
	}
	for i, c := range []struct {
		one, other      func(string, ...redislimit.Option) *redislimit.Limiter[string]
		permits, burst  int
		leases, waiting bool
	}{
		{limit(1, 10), limit(10, 10), 10, 10, false, false},
		{limit(10, 100), limit(10, 1), 10, 100, false, false},
		{limit(10, 0), limit(10, 5), 10, 5, false, false},
		{limit(0, 20), limit(10, 20), 10, 20, false, false},
		{limit(100, 2), limit(10, 50), 100, 50, false, false},
		{limit(50, 20), limit(100, 20), 100, 20, true, false},
		{limit(50, 20), limit(100, 20), 100, 21, false, true},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			var opts []redislimit.Option
			ahead := time.Duration(0)
			if c.leases {
				opts, ahead = append(opts, redislimit.WithLease(5, ttl)), ttl
			}
			limiters := []*redislimit.Limiter[string]{c.one(t.Name(), opts...), c.other(t.Name(), opts...)}
			ledger := takertest.NewLedger()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			done := make(chan struct{})
			go func() {
				defer close(done)
				for c.waiting && ledger.Note(1, func() bool { return limiters[0].Wait(ctx, "a") == nil }) {
				}
			}()
			for ledger.Age() < time.Second {
				for _, l := range limiters {
					ledger.Note(1, func() bool { return take(t, l, "a", 1).OK })
				}
			}
			<-done
			if ledger.Total() == 0 {
				t.Error("nothing is granted")
			}
			ledger.CheckWindows(t, c.burst, c.permits, time.Second, ahead, takertest.RealClocks)
		})
	}
}

// A caller that gives up, of several processes, costs at most one place; and each wait
// is one call.
func TestR2WaitsOfTwoProcesses(t *testing.T) {
	t.Parallel()
	s, client := server(t)
	opts := []redislimit.Option{redislimit.WithTimeout(patient), redislimit.WithFailurePolicy(redislimit.FailClosed)}
	one := redislimit.New[string](connect(t, s.Addr()), ratelimit.Every(time.Hour), 2, opts...)
	other := redislimit.New[string](connect(t, s.Addr()), ratelimit.Every(time.Hour), 2, opts...)
	if err := one.WaitN(t.Context(), "a", 2); err != nil {
		t.Fatal(err)
	}
	before := client.Get(t.Context(), "tandem:rate:a").Val()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- one.WaitN(ctx, "a", 2) }()
	until(t, "it has its place", func() bool { return client.Get(t.Context(), "tandem:rate:a").Val() != before })
	d := take(t, other, "a", 1)
	if d.OK || d.RetryAfter < 2*time.Hour {
		t.Errorf("a caller of Take overtakes: %+v", d)
	}
	left := client.PTTL(t.Context(), "tandem:rate:a").Val()
	cancel()
	if err := <-done; err != context.Canceled {
		t.Error(err)
	}
	if d := take(t, other, "a", 1); d.OK || d.RetryAfter > time.Hour {
		t.Errorf("it is not given back: %+v", d)
	}
	if is := client.PTTL(t.Context(), "tandem:rate:a").Val(); is > left-2*time.Hour+time.Millisecond || is < time.Hour {
		t.Errorf("it is kept for %v, and was for %v", is, left)
	}
	soon, cancelSoon := context.WithTimeout(t.Context(), time.Minute)
	defer cancelSoon()
	was := client.Get(t.Context(), "tandem:rate:a").Val()
	if err := other.Wait(soon, "a"); !errors.Is(err, context.DeadlineExceeded) || client.Get(t.Context(), "tandem:rate:a").Val() != was {
		t.Error(err)
	}
}

// Check finds servers that may evict keys with a backlog, and servers that do not
// answer.
func TestCheck(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	limiter := func(c redis.UniversalClient) *redislimit.Limiter[string] {
		return redislimit.New[string](c, ratelimit.Every(time.Hour), 2, redislimit.WithTimeout(patient))
	}
	for i, c := range []struct {
		args   []string
		evicts bool
	}{
		{nil, false},
		{[]string{"--maxmemory", "100mb"}, false},
		{[]string{"--maxmemory", "100mb", "--maxmemory-policy", "noeviction"}, false},
		{[]string{"--maxmemory-policy", "volatile-lru"}, false}, // without a limit of memory
		{[]string{"--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru"}, true},
		{[]string{"--maxmemory", "100mb", "--maxmemory-policy", "volatile-ttl"}, true},
		{[]string{"--maxmemory", "100mb", "--maxmemory-policy", "allkeys-random"}, true},
		{[]string{"--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"}, false}, // the server hides its settings
	} {
		_, client := server(t, c.args...)
		if i == 7 {
			if err := client.Do(ctx, "ACL", "SETUSER", "default", "-info", "-config").Err(); err != nil {
				t.Fatal(err)
			}
		}
		if err := limiter(client).Check(ctx); errors.Is(err, redislimit.ErrEvicts) != c.evicts || !c.evicts && err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	s, client := server(t, "--cluster-enabled", "yes", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lfu")
	if err := client.Do(ctx, "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	until(t, "the cluster is ready", func() bool { return client.Set(ctx, "x", 1, 0).Err() == nil })
	cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{s.Addr()}, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = cluster.Close() })
	ring := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": s.Addr()}, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = ring.Close() })
	for _, c := range []redis.UniversalClient{cluster, ring} {
		if err := limiter(c).Check(ctx); !errors.Is(err, redislimit.ErrEvicts) {
			t.Errorf("%T: %v", c, err)
		}
	}
	if err := client.ConfigSet(ctx, "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	windows := ratelimit.Window{Rate: ratelimit.Every(time.Hour), Burst: 2}
	for prefix, well := range map[string]bool{"{api}": true, "other": false} {
		x := redislimit.New[string](cluster, ratelimit.Every(time.Hour), 2, redislimit.WithTimeout(patient),
			redislimit.WithPrefix(prefix), redislimit.WithParent("{api}all", windows))
		if err := x.Check(ctx); well != (err == nil) || !well && !errors.Is(err, redislimit.ErrUnavailable) {
			t.Errorf("prefix %s: %v", prefix, err)
		}
	}
	if n := client.Exists(ctx, "{api}all").Val(); n != 0 {
		t.Error("a check has taken permits")
	}
	if err := client.Do(ctx, "ACL", "SETUSER", "default", "-@scripting").Err(); err != nil {
		t.Fatal(err)
	}
	if err := limiter(cluster).Check(ctx); !errors.Is(err, redislimit.ErrUnavailable) || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("a user that may not run scripts: %v", err)
	}
	away := limiter(hasty(t, s.Addr()))
	s.Kill()
	if err := away.Check(ctx); !errors.Is(err, redislimit.ErrUnavailable) {
		t.Error(err)
	}
	gone, cancel := context.WithCancelCause(ctx)
	cause := errors.New("gone")
	cancel(cause)
	if err := away.Check(gone); err != cause {
		t.Error(err)
	}
}

// A full server that does not evict rejects writes: the policy decides.
func TestFaultServerFull(t *testing.T) {
	t.Parallel()
	_, client := server(t, "--maxmemory", "100mb")
	ctx := context.Background()
	l := redislimit.New[string](client, ratelimit.Every(time.Hour), 2, redislimit.WithTimeout(patient), redislimit.WithFailurePolicy(redislimit.FailClosed))
	take(t, l, "a", 2)
	if err := client.ConfigSet(ctx, "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if ok, err := l.Allow(ctx, "b"); ok || !errors.Is(err, redislimit.ErrUnavailable) {
		t.Errorf("%v, %v", ok, err)
	}
	if err := client.ConfigSet(ctx, "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	if take(t, l, "a", 1).OK {
		t.Error("what was owed is forgotten")
	}
}
