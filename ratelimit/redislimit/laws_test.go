package redislimit_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/internal/takertest"
	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/redislimit"
)

// R1–R7: what every Taker must do, on a server that is in this process, and so on a clock
// that is exact. On real ones it is tried in module integration.
func TestTakerLaws(t *testing.T) {
	const ttl = 20 * time.Second
	for name, opts := range map[string][]redislimit.Option{
		"Redis":  nil,
		"Leases": {redislimit.WithLease(50, ttl)},
	} {
		t.Run(name, func(t *testing.T) {
			_, client := newFake(t)
			var made atomic.Int64
			s := takertest.Subject{
				New: func(_ *testing.T, rate ratelimit.Rate, burst int) ratelimit.Taker[string] {
					return redislimit.New[string](client, rate, burst, append(opts, redislimit.WithPrefix(strconv.FormatInt(made.Add(1), 10)),
						redislimit.WithFailurePolicy(redislimit.FailClosed))...)
				},
				Bubble:     synctest.Test,
				Resolution: time.Microsecond,
			}
			if opts != nil {
				s.Ahead = ttl
			}
			s.Laws(t)
		})
	}
}

// R1: with leases no window of three processes holds more than burst + rate·(window +
// time to live), whatever the latency, and with a clock that goes back and forth. What was
// leased is handed out, expired, or still there.
func TestR1LeasesWindowLaw(t *testing.T) {
	for seed := range uint64(30) {
		f, client := newFake(t)
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			permits, period := 1+rnd.IntN(20), time.Duration(1+rnd.IntN(20))*time.Millisecond
			burst, ttl := 1+rnd.IntN(30), time.Duration(1+rnd.IntN(60))*time.Millisecond
			f.latency = time.Duration(rnd.IntN(3)) * time.Millisecond / 2
			ledger := takertest.NewLedger()
			var wg sync.WaitGroup
			var limiters []*redislimit.Limiter[string]
			for range 3 {
				l := redislimit.New[string](client, ratelimit.Per(permits, period), burst, redislimit.WithLease(1+rnd.IntN(20), ttl))
				limiters = append(limiters, l)
				for range 2 {
					rnd := rand.New(rand.NewPCG(seed, rnd.Uint64()))
					wg.Go(func() {
						for ledger.Age() < 300*time.Millisecond {
							n := 1 + rnd.IntN(3)
							if !ledger.Note(n, func() bool { d, err := l.Take(t.Context(), "a", n); return d.OK && err == nil }) || rnd.IntN(50) == 0 {
								time.Sleep(time.Duration(rnd.Int64N(int64(ttl) * 3 / 2)))
							}
						}
					})
				}
			}
			wg.Wait()
			ledger.CheckWindows(t, burst, permits, period, ttl, func(time.Duration) time.Duration { return time.Microsecond })
			for _, l := range limiters {
				if s := l.Stats(); s.Errors+s.Local+s.Failures != 0 || s.Leased < s.Expired || s.Asked != s.Granted+s.Denied {
					t.Errorf("seed %d: %+v", seed, s)
				}
			}
		})
	}
}

// R3: who waits for a key in one process is served first come, first served, though one of
// them leaves; and only one of them asks Redis at a time.
func TestR3FirstComeFirstServed(t *testing.T) {
	f, client := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		f.latency = time.Millisecond
		l := redislimit.New[string](client, ratelimit.Every(10*time.Millisecond), 1)
		var mu sync.Mutex
		var order []int
		var wg sync.WaitGroup
		gone, cancel := contextWithCancel(t)
		for i := range 10 {
			ctx := t.Context()
			if i == 4 {
				ctx = gone
			}
			wg.Go(func() {
				if err := l.Wait(ctx, "a"); (err != nil) != (i == 4) {
					t.Errorf("%d: %v", i, err)
				} else if err == nil {
					mu.Lock()
					order = append(order, i)
					mu.Unlock()
				}
			})
			synctest.Wait()
			if i == 5 {
				cancel(errGone)
			}
		}
		if s := l.Stats(); s.Waiting < 8 {
			t.Errorf("%+v", s)
		}
		wg.Wait()
		if got := fmt.Sprint(order); got != "[0 1 2 3 5 6 7 8 9]" {
			t.Errorf("the order is %v", got)
		}
		if s := l.Stats(); s.Waiting != 0 || s.Calls > 9*3 {
			t.Errorf("%+v", s)
		}
	})
}
