package ratelimit_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

// A use is a number of permits and the instant at which they are used.
type use struct {
	at      time.Duration
	n       int
	charged bool
	r       *ratelimit.Reservation
}

// R1: whatever is settled, cancelled and charged, and whoever waits meanwhile, no window
// that ends in a grant holds more than the law. What was given back does not count.
func TestR1SettleKeepsTheLaw(t *testing.T) {
	runs := uint64(20_000)
	if testing.Short() {
		runs = 2000
	}
	asked, given := 0, 0
	for seed := range runs {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 3))
			burst, permits, period := 1+rnd.IntN(6), 1+rnd.IntN(20), 1+rnd.IntN(40)
			l := ratelimit.New(ratelimit.Per(permits, time.Duration(period)), burst)
			start := time.Now()
			var mu sync.Mutex
			var uses []*use
			used := func(n int, at time.Duration, charged bool, r *ratelimit.Reservation) {
				mu.Lock()
				defer mu.Unlock()
				uses = append(uses, &use{at, n, charged, r})
			}
			for range 16 {
				now, k := time.Since(start), 1+rnd.IntN(burst)
				switch rnd.IntN(8) {
				case 0:
					if l.AllowN(k) {
						used(k, now, false, nil)
					}
				case 1, 2:
					if r := l.ReserveN(k); seed%2 == 0 && r.Delay() > 0 {
						r.Cancel() // what is charged later cannot move its instant
					} else if r.OK() {
						used(k, now+r.Delay(), false, &r)
					}
				case 3, 4:
					mu.Lock()
					if i := rnd.IntN(len(uses) + 1); i < len(uses) && uses[i].r != nil && uses[i].n > 0 {
						u, keep := uses[i], rnd.IntN(uses[i].n)
						asked += u.n - keep
						given += u.r.Settle(keep)
						u.n = keep // the law holds even if all of it counts as given back
					}
					mu.Unlock()
				case 5:
					if seed%2 == 0 {
						l.Charge(k)
						used(k, now, true, nil)
					}
				case 6:
					ctx, cancel := context.WithCancel(t.Context())
					time.AfterFunc(time.Duration(1+rnd.IntN(2*period)), cancel)
					go func() {
						if l.WaitN(ctx, k) == nil {
							used(k, time.Since(start), false, nil)
						}
					}()
				default:
					time.Sleep(time.Duration(rnd.IntN(2 * period)))
				}
				synctest.Wait()
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			slices.SortStableFunc(uses, func(a, b *use) int { return int(a.at - b.at) })
			for i := range uses {
				sum := 0
				for j, u := range uses[i:] {
					sum += u.n
					last := i+j+1 == len(uses) || uses[i+j+1].at > u.at
					if last && u.n > 0 && !u.charged && uses[i].n > 0 && (sum-burst)*period > permits*int(u.at-uses[i].at) {
						t.Fatalf("seed %d: %d permits from %v to %v, with a burst of %d and %d per %d ns", seed, sum, uses[i].at, u.at, burst, permits, period)
					}
				}
			}
		})
		if t.Failed() {
			return
		}
	}
	if given*3 < asked {
		t.Errorf("%d of %d permits were given back, want a third at least", given, asked)
	}
}

// R1: with nothing granted since, Settle gives back all that has not come back by itself,
// and may be called again.
func TestR1SettleGivesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Every(time.Second), 10)
		r := l.ReserveN(8)
		if got := r.Settle(3); got != 5 || l.Peek().Remaining != 7 {
			t.Errorf("gave back %d of 5, %d remain of 7", got, l.Peek().Remaining)
		}
		time.Sleep(2 * time.Second)
		if got := r.Settle(0); got != 1 || l.Peek().Remaining != 10 {
			t.Errorf("gave back %d: 2 have come back by themselves", got)
		}
		if got := r.Settle(2); got != -2 || l.Peek().Remaining != 8 {
			t.Errorf("charged %d, %d remain of 8", got, l.Peek().Remaining)
		}
		time.Sleep(time.Minute)
		if got := r.Settle(0); got != 0 {
			t.Errorf("gave back %d once more", got)
		}
		var none ratelimit.Reservation
		if none.Settle(3) != 0 || none.OK() {
			t.Error("the zero Reservation has permits")
		}
	})
}

// R1, R4: what is charged is owed, by all windows and the parent, beyond the burst too.
func TestR1Charge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent := ratelimit.New(ratelimit.Every(time.Second), 20)
		l := ratelimit.New(ratelimit.Every(time.Second), 10, ratelimit.WithWindow(ratelimit.Every(2*time.Second), 30), ratelimit.WithParent(parent))
		l.Charge(25)
		if d := l.Peek(); d.OK || d.RetryAfter != 16*time.Second || d.ResetAfter != 50*time.Second || parent.Allow() {
			t.Errorf("%+v", d)
		}
		if st := parent.Stats(); st.Owed != 25 {
			t.Errorf("%+v", st)
		}
		start := time.Now()
		if err := l.Wait(t.Context()); err != nil || time.Since(start) != 16*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// R4, C2: Wait of a reservation waits for its instant, and gives the permits back if ctx
// ends first.
func TestR4ReservationWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Every(time.Second), 1, ratelimit.WithSpent(1))
		start := time.Now()
		first, second := l.Reserve(), l.Reserve()
		if err := first.Wait(t.Context()); err != nil || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if err := second.Wait(ctx); err == nil || time.Since(start) != time.Second {
			t.Errorf("%v after %v: the deadline is too early", err, time.Since(start))
		}
		if d := l.Peek().RetryAfter; d != time.Second {
			t.Errorf("the permits were not given back: %v", d)
		}
		third, cancel3 := l.Reserve(), context.CancelFunc(nil)
		ctx, cancel3 = context.WithCancel(t.Context())
		time.AfterFunc(time.Second/4, cancel3)
		if err := third.Wait(ctx); err != context.Canceled || time.Since(start) != 5*time.Second/4 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if none := l.ReserveN(2); none.Wait(t.Context()) == nil {
			t.Error("more than the burst")
		}
	})
}
