package redislimit_test

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tandemgo/tandem/internal/takertest"
	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/redislimit"
)

// subject returns limiters on a server, each with its own prefix.
func subject(client redis.UniversalClient, name string, ahead time.Duration, opts ...redislimit.Option) takertest.Subject {
	var made atomic.Int64
	return takertest.Subject{
		New: func(_ *testing.T, rate ratelimit.Rate, burst int) ratelimit.Taker[string] {
			prefix := name + strconv.FormatInt(made.Add(1), 10) + ":"
			return redislimit.New[string](client, rate, burst, append(opts,
				redislimit.WithTimeout(patient), redislimit.WithFailurePolicy(redislimit.FailClosed), redislimit.WithPrefix(prefix))...)
		},
		Resolution: time.Microsecond,
		Ahead:      ahead,
	}
}

// R1–R7: the laws of every Taker, with the tests of ratelimit.Keyed.
func TestTakerLaws(t *testing.T) {
	_, client := server(t)
	t.Run("Redis", func(t *testing.T) { subject(client, "direct", 0).Laws(t) })
	t.Run("Leases", func(t *testing.T) {
		const ttl = 20 * time.Second
		subject(client, "leased", ttl, redislimit.WithLease(50, ttl)).Laws(t)
	})
	t.Run("ShortLeases", func(t *testing.T) {
		const ttl = 40 * time.Millisecond
		s := subject(client, "short", ttl, redislimit.WithLease(4, ttl))
		t.Run("R1WindowLaw", s.Windows)
	})
}

// R1: with leases, three processes that take all they can get are granted at most burst
// + rate·(window + time to live) in any window, and every permit taken for them is
// accounted for.
func TestR1LeasesOfThreeProcesses(t *testing.T) {
	const (
		permits, burst = 2000, 100
		ttl            = 50 * time.Millisecond
	)
	_, client := server(t)
	var limiters []*redislimit.Limiter[string]
	for range 3 {
		limiters = append(limiters, redislimit.New[string](client, ratelimit.Per(permits, time.Second), burst,
			redislimit.WithLease(20, ttl), redislimit.WithTimeout(patient)))
	}
	ledger := takertest.NewLedger()
	var wg sync.WaitGroup
	for _, l := range limiters {
		for g := range 3 {
			wg.Go(func() {
				for i := 0; ledger.Age() < 2*time.Second; i++ {
					n := 1 + (i+g)%2
					ok := ledger.Note(n, func() bool { return take(t, l, "a", n).OK })
					switch {
					case ledger.Age()/(4*ttl)%2 == 1: // all pause, and leases expire
						time.Sleep(ttl)
					case !ok:
						time.Sleep(time.Millisecond)
					}
				}
			})
		}
	}
	wg.Wait()
	ledger.CheckWindows(t, burst, permits, time.Second, ttl, takertest.RealClocks)
	var sum redislimit.Stats
	for _, l := range limiters {
		s := l.Stats()
		sum.FromLease += s.FromLease
		sum.Expired += s.Expired
		sum.Leased += s.Leased
		if s.Leases == 0 || s.FromDenial == 0 || s.Local+s.Failures+s.Errors > 0 || s.Asked != s.Granted+s.Denied {
			t.Errorf("%+v", s)
		}
	}
	if sum.Expired == 0 || sum.Expired > sum.Leased {
		t.Errorf("%+v", sum)
	}
}

// R2: all waiters of a key are served, and none before its permit is due.
func TestR2Waiters(t *testing.T) {
	_, client := server(t)
	l := redislimit.New[string](client, ratelimit.Every(5*time.Millisecond), 1, redislimit.WithTimeout(patient))
	take(t, l, "a", 1)
	var wg sync.WaitGroup
	start := time.Now()
	const waiters = 20
	for range waiters {
		wg.Go(func() {
			if err := l.Wait(context.Background(), "a"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if took := time.Since(start); took < (waiters-1)*5*time.Millisecond {
		t.Errorf("%d waiters were served in %v", waiters, took)
	}
	if s := l.Stats(); s.Waiting != 0 || s.Granted != waiters+1 {
		t.Errorf("%+v", s)
	}
}
