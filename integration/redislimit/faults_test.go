package redislimit_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tandemgo/tandem/integration/internal/proxy"
	"github.com/tandemgo/tandem/internal/takertest"
	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/redislimit"
)

// A server is killed and starts again empty: meanwhile this process decides, based on
// its own grants; then Redis does again.
func TestFaultServerKilledAndRestarted(t *testing.T) {
	t.Parallel()
	s, _ := server(t)
	l := redislimit.New[string](hasty(t, s.Addr()), ratelimit.Every(time.Hour), 5,
		redislimit.WithTimeout(patient), redislimit.WithBreaker(3, 50*time.Millisecond))
	if d := take(t, l, "a", 2); !d.OK || d.Remaining != 3 {
		t.Errorf("2 of 5: %+v", d)
	}
	s.Kill()
	if d := take(t, l, "a", 2); !d.OK || d.Remaining != 1 {
		t.Errorf("this process was granted 2 of 5, and 2 more: %+v", d)
	}
	if d := take(t, l, "a", 2); d.OK || d.Remaining != 1 {
		t.Errorf("2 of 1: %+v", d)
	}
	until(t, "the breaker opens", func() bool {
		take(t, l, "b", 1)
		return l.Stats().Breaker != redislimit.Closed
	})
	s.Start()
	until(t, "the breaker closes", func() bool {
		take(t, l, "c", 1)
		return l.Stats().Breaker == redislimit.Closed
	})
	until(t, "Redis decides", func() bool {
		before := l.Stats()
		take(t, l, "d", 1)
		after := l.Stats()
		return after.Local == before.Local && after.Calls > before.Calls
	})
	if s := l.Stats(); s.Errors != 0 || s.Asked != s.Granted+s.Denied || s.Trips == 0 || s.Failures < 3 {
		t.Errorf("%+v", s)
	}
}

// A server that is killed keeps its data: with its log on disk, no grant is forgotten.
func TestFaultServerKilledWithALog(t *testing.T) {
	t.Parallel()
	s, client := server(t, "--appendonly", "yes", "--appendfsync", "always")
	l := redislimit.New[string](client, ratelimit.Every(time.Hour), 5,
		redislimit.WithTimeout(patient), redislimit.WithFailurePolicy(redislimit.FailClosed))
	take(t, l, "a", 4)
	s.Kill()
	s.Start()
	until(t, "the server answers", func() bool { return client.Ping(context.Background()).Err() == nil })
	if d := take(t, l, "a", 2); d.OK || d.Remaining != 1 {
		t.Errorf("2 of 1: %+v", d)
	}
	if d := take(t, l, "a", 1); !d.OK {
		t.Errorf("1 of 1: %+v", d)
	}
}

// A network fails in each way: no call returns an error, no window has more grants than
// documented, and all is normal afterwards.
func TestFaultNetwork(t *testing.T) {
	for name, f := range map[string]struct {
		begin func(*proxy.Proxy)
		lasts time.Duration
	}{
		"cut for 5 s":            {(*proxy.Proxy).Cut, 5 * time.Second},
		"half-open for 5 s":      {(*proxy.Proxy).Stall, 5 * time.Second},
		"200 ms late":            {func(p *proxy.Proxy) { p.Delay(200 * time.Millisecond) }, 2 * time.Second},
		"connections are broken": {(*proxy.Proxy).Drop, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if testing.Short() && f.lasts > 0 {
				t.Skip("it takes seconds")
			}
			const permits, burst, replicas = 200, 50, 2
			s, _ := server(t)
			p := proxy.New(t, s.Addr())
			ledger := takertest.NewLedger()
			var limiters []*redislimit.Limiter[string]
			for range replicas {
				limiters = append(limiters, redislimit.New[string](connect(t, p.Addr()), ratelimit.Per(permits, time.Second), burst,
					redislimit.WithReplicas(replicas), redislimit.WithBreaker(3, 100*time.Millisecond)))
			}
			ask := func() {
				for _, l := range limiters {
					ledger.Note(1, func() bool { return take(t, l, "a", 1).OK })
				}
			}
			well := func() bool {
				var before, after uint64
				for _, l := range limiters {
					before += l.Stats().Local
				}
				for range 20 {
					ask()
				}
				for _, l := range limiters {
					after += l.Stats().Local
					if l.Stats().Breaker != redislimit.Closed {
						return false
					}
				}
				return after == before
			}
			until(t, "all is well", well)
			f.begin(p)
			for begun := ledger.Age(); ledger.Age()-begun < f.lasts; time.Sleep(2 * time.Millisecond) {
				ask()
			}
			p.Pass()
			until(t, "all is well again", well)
			// One limit by Redis, one by the processes alone: twice the rate, and two
			// bursts.
			ledger.CheckWindows(t, 2*burst+replicas, 2*permits, time.Second, 0, takertest.RealClocks)
			var failures uint64
			for i, l := range limiters {
				s := l.Stats()
				failures += s.Failures
				if s.Errors != 0 || s.Asked != s.Granted+s.Denied {
					t.Errorf("limiter %d: %+v", i, s)
				}
				if f.lasts > 0 && (s.Local == 0 || s.Trips == 0 || s.Failures == 0) {
					t.Errorf("limiter %d has not noticed: %+v", i, s)
				}
			}
			t.Logf("%d permits in %v, %d failures", ledger.Total(), ledger.Age(), failures)
		})
	}
}

// With any network fault, every granted permit is spent in Redis. The permits spent and
// not granted are at most those of the failed calls: no permit is granted twice, and
// permits spent twice are counted.
func TestFaultWhatIsSpentTwiceIsCounted(t *testing.T) {
	t.Parallel()
	s, straight := server(t)
	p := proxy.New(t, s.Addr())
	const burst = 1_000_000
	limit := func(client redis.UniversalClient, timeout time.Duration) *redislimit.Limiter[string] {
		return redislimit.New[string](client, ratelimit.Per(0, time.Second), burst,
			redislimit.WithFailurePolicy(redislimit.FailClosed), redislimit.WithTimeout(timeout), redislimit.WithBreaker(1, time.Millisecond))
	}
	l := limit(hasty(t, p.Addr()), 50*time.Millisecond)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					_, _ = l.Take(context.Background(), "a", 1)
				}
			}
		})
	}
	for i := range 20 {
		granted := l.Stats().Granted
		until(t, "some are granted", func() bool { return l.Stats().Granted > granted+20 })
		failures := l.Stats().Failures
		switch i % 3 {
		case 0:
			p.Stall()
		case 1:
			p.Cut()
		default:
			p.Delay(60 * time.Millisecond)
		}
		until(t, "some fail", func() bool { return l.Stats().Failures > failures })
		p.Pass()
	}
	close(done)
	wg.Wait()
	p.Drop() // data in flight arrives before that, or never
	st := l.Stats()
	d := take(t, limit(straight, patient), "a", burst+1)
	spent := uint64(d.Limit - d.Remaining)
	if spent < st.Granted || spent > st.Granted+st.Failures || st.Failures < 20 {
		t.Errorf("%d permits are spent, %d were granted, %d calls have failed", spent, st.Granted, st.Failures)
	}
	t.Logf("%d permits are spent, %d were granted, %d calls have failed", spent, st.Granted, st.Failures)
}

// A half-open connection delays no caller for longer than the timeout, and no caller at
// all while the breaker is open. A caller with an earlier deadline learns before it
// that Redis does not answer.
func TestFaultHalfOpenHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	s, _ := server(t)
	p := proxy.New(t, s.Addr())
	l := redislimit.New[string](connect(t, p.Addr()), ratelimit.Every(time.Hour), 5,
		redislimit.WithFailurePolicy(redislimit.FailClosed), redislimit.WithTimeout(300*time.Millisecond), redislimit.WithBreaker(20, time.Hour))
	until(t, "Redis decides", func() bool { d, err := l.Take(context.Background(), "a", 1); return d.OK && err == nil })
	failures := l.Stats().Failures
	p.Stall()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := l.Take(ctx, "a", 1); !errors.Is(err, redislimit.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("under a deadline that is sooner: %v", err)
	}
	if s := l.Stats(); s.Failures < failures {
		t.Errorf("%+v", s)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := l.Take(context.Background(), "a", 1); !errors.Is(err, redislimit.ErrUnavailable) {
				t.Errorf("half-open: %v", err)
			}
		})
	}
	wg.Wait()
	before := l.Stats()
	if before.Breaker != redislimit.Open || before.Trips != 1 {
		t.Errorf("%+v", before)
	}
	for range 1000 {
		if _, err := l.Take(context.Background(), "a", 1); !errors.Is(err, redislimit.ErrUnavailable) {
			t.Errorf("open: %v", err)
		}
	}
	if after := l.Stats(); after.Calls != before.Calls {
		t.Errorf("%d calls while the breaker is open", after.Calls-before.Calls)
	}
}

// Flushed scripts are sent again, without an effect on callers.
func TestFaultScriptsFlushed(t *testing.T) {
	t.Parallel()
	_, client := server(t)
	l := redislimit.New[string](client, ratelimit.Every(time.Hour), 10,
		redislimit.WithTimeout(patient), redislimit.WithFailurePolicy(redislimit.FailClosed))
	for left := 9; left >= 0; left-- {
		if d := take(t, l, "a", 1); !d.OK || d.Remaining != left {
			t.Errorf("%+v, want %d remaining", d, left)
		}
		if err := client.ScriptFlush(context.Background()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if s := l.Stats(); s.Failures != 0 || s.Calls != 10 {
		t.Errorf("%+v", s)
	}
}

// A foreign value at a key is not changed; other keys work as usual.
func TestFaultForeignValue(t *testing.T) {
	t.Parallel()
	_, client := server(t)
	ctx := context.Background()
	for key, set := range map[string]func(string) error{
		"list":  func(k string) error { return client.LPush(ctx, k, "x").Err() },
		"hash":  func(k string) error { return client.HSet(ctx, k, "x", 1).Err() },
		"text":  func(k string) error { return client.Set(ctx, k, "hello", 0).Err() },
		"count": func(k string) error { return client.Set(ctx, k, "1795649679919996", 0).Err() },
		"float": func(k string) error { return client.Set(ctx, k, "1.7956e+15", 0).Err() },
		"like":  func(k string) error { return client.Set(ctx, k, "TRL12345678", 0).Err() },
		"none":  func(k string) error { return client.Set(ctx, k, "", 0).Err() },
	} {
		name := "tandem:rate:" + key
		if err := set(name); err != nil {
			t.Fatal(err)
		}
		was, err := client.Dump(ctx, name).Result()
		if err != nil {
			t.Fatal(err)
		}
		closed := redislimit.New[string](client, ratelimit.Every(time.Hour), 2, redislimit.WithTimeout(patient),
			redislimit.WithFailurePolicy(redislimit.FailClosed), redislimit.WithBreaker(1, time.Hour))
		local := redislimit.New[string](client, ratelimit.Every(time.Hour), 2, redislimit.WithTimeout(patient), redislimit.WithBreaker(1, time.Hour))
		for i := range 3 {
			if _, err := closed.Take(ctx, key, 1); !errors.Is(err, redislimit.ErrForeign) {
				t.Errorf("%s: %v", key, err)
			}
			if d := take(t, local, key, 1); d.OK != (i < 2) {
				t.Errorf("%s, by this process, %d: %+v", key, i, d)
			}
		}
		if is, err := client.Dump(ctx, name).Result(); is != was || err != nil {
			t.Errorf("%s: it was %q, and is %q (%v)", key, was, is, err)
		}
		for _, l := range []*redislimit.Limiter[string]{closed, local} {
			if !take(t, l, "ours of "+key, 1).OK {
				t.Errorf("%s: others are not asked for", key)
			}
			if s := l.Stats(); s.Foreign != 3 || s.Failures != 0 || s.Breaker != redislimit.Closed {
				t.Errorf("%s: %+v", key, s)
			}
			if err := l.Forget(ctx, "ours of "+key); err != nil {
				t.Error(err)
			}
		}
	}
}

// A replica that was not promoted rejects writes: no permit is granted twice, and the
// policy decides.
func TestFaultReadOnly(t *testing.T) {
	t.Parallel()
	_, client := server(t, "--replicaof", "127.0.0.1 1")
	l := redislimit.New[string](client, ratelimit.Every(time.Hour), 2, redislimit.WithTimeout(patient), redislimit.WithFailurePolicy(redislimit.FailOpen))
	for range 4 {
		if d := take(t, l, "a", 1); !d.OK {
			t.Errorf("%+v", d)
		}
	}
	if s := l.Stats(); s.Failures != 3 || s.Opened != 4 || s.Breaker != redislimit.Open {
		t.Errorf("%+v", s)
	}
	if d := take(t, l, "a", 3); d.OK || d.RetryAfter != ratelimit.Never {
		t.Errorf("more than the burst: %+v", d)
	}
}

// A closed client is a failure like any other.
func TestFaultClosedClient(t *testing.T) {
	t.Parallel()
	_, client := server(t)
	l := redislimit.New[string](client, ratelimit.Every(time.Hour), 2, redislimit.WithTimeout(patient), redislimit.WithFailurePolicy(redislimit.FailClosed))
	take(t, l, "a", 1)
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Take(context.Background(), "a", 1); !errors.Is(err, redislimit.ErrUnavailable) || !errors.Is(err, redis.ErrClosed) {
		t.Errorf("%v", err)
	}
}
