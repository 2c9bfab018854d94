//go:build points

package ratelimit

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/point"
)

const tick = time.Second

// R1, R2: claims, and a clock that moves on between any two steps of them, answer
// as if they came one after the other.
func TestExploreClaims(t *testing.T) {
	programs := map[string]struct {
		burst int
		first []int
		clock int
	}{
		"two":               {2, []int{1}, 1},
		"of a small burst":  {1, []int{1, 1}, 2},
		"of different size": {3, []int{2, 1}, 1},
	}
	for name, p := range programs {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				l, h := New(Every(tick), p.burst), newHistory(p.burst, tick)
				r.Go("first", func() {
					for _, n := range p.first {
						h.claim(n, func() bool { return l.AllowN(n) })
					}
				})
				r.Go("second", func() { h.claim(1, l.Allow) })
				r.Go("clock", func() {
					for range p.clock {
						r.Pass(tick)
					}
				})
				r.After(func() { h.check(t, false) })
			})
		})
	}
}

// R1, R7: the same, and what a Take says about later holds when nobody comes
// between.
func TestExploreTake(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		l, h := New(Every(tick), 1, WithSpent(0)), newHistory(1, tick)
		var d Decision
		r.Go("take", func() { h.claim(1, func() bool { d = l.Take(1); return d.OK }) })
		r.Go("allow", func() { h.claim(1, l.Allow) })
		r.Go("clock", func() { r.Pass(tick / 2) })
		r.After(func() {
			h.check(t, false)
			if !d.OK && (d.RetryAfter < tick/2 || d.RetryAfter > tick || d.ResetAfter != d.RetryAfter) {
				t.Errorf("R7: %+v", d)
			}
		})
	})
}

// R1: a Take that is beaten by another says how many permits are left of what both
// have taken, whatever the clock said when it first looked.
func TestExploreTakeIsBeaten(t *testing.T) {
	for name, start := range map[string]func() func() Decision{
		"limiter": func() func() Decision {
			l := New(Every(tick), 3)
			return func() Decision { return l.Take(1) }
		},
		"key": func() func() Decision {
			x := NewKeyed[int](Every(tick), 4)
			x.Allow(1) // there is a word
			return func() Decision { d, _ := x.Take(t.Context(), 1, 1); return d }
		},
	} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				take := start()
				time.Sleep(time.Nanosecond) // a clock that reads 0 counts as unread
				var a, b Decision
				r.Go("one", func() { a = take() })
				r.Go("another", func() { b = take() })
				r.Go("clock", func() { r.Pass(tick / 2) })
				r.After(func() {
					if least, most := min(a.Remaining, b.Remaining), max(a.Remaining, b.Remaining); least != 1 || most != 2 {
						t.Errorf("%+v, %+v", a, b)
					}
				})
			})
		})
	}
}

// R1: who takes the state out of the word, and reads the clock, does not lose what
// is claimed meanwhile, whatever the clock does.
func TestExploreTheLockAndTheWord(t *testing.T) {
	calls := map[string]func(l *Limiter){
		"SetBurst": func(l *Limiter) { l.SetBurst(1) },
		"Reserve": func(l *Limiter) {
			if r := l.ReserveN(2); r.OK() {
				panic("more than the burst")
			}
		},
		"a new word": func(l *Limiter) { l.SetRate(Per(2, 3*tick)); l.SetRate(Every(tick)) },
	}
	for name, fn := range calls {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				l, h := New(Every(tick), 1), newHistory(1, tick)
				r.Go("claims", func() {
					h.claim(1, l.Allow)
					h.claim(1, l.Allow)
				})
				r.Go(name, func() { fn(l) })
				r.Go("clock", func() { r.Pass(tick) })
				r.After(func() {
					h.claim(1, l.Allow)
					h.check(t, name == "a new word")
				})
			})
		})
	}
}

var errGone = errors.New("gone")

// R2, R3, C2: of two that wait the first one gives up, early or at the instant at
// which it is due: what it does not take the next one gets, at once.
func TestExploreCancelMeetsGrant(t *testing.T) {
	for name, late := range map[string]bool{"early": false, "when it is due": true} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				l, h := New(Every(tick), 1), newHistory(1, tick)
				h.claim(1, l.Allow)
				ctx, cancel := context.WithCancelCause(t.Context())
				r.After(func() { cancel(nil) })
				var first, second error
				r.Go("first", func() {
					h.claim(1, func() bool { first = l.Wait(ctx); return first == nil })
				})
				r.Go("second", func() {
					h.claim(1, func() bool { second = l.Wait(t.Context()); return second == nil })
				})
				r.Go("cancel", func() {
					if late {
						time.Sleep(tick)
						point.At("the first one is due")
					}
					cancel(errGone)
				})
				r.After(func() {
					if second != nil || first != nil && first != errGone {
						t.Errorf("C2: %v, %v", first, second)
					}
					h.check(t, true)
					if took := time.Since(h.start); took != h.took(h.granted()-1) {
						t.Errorf("R2: %v for %d permits", took, h.granted())
					}
					if l.Allow() || l.waiters.Len() > 0 {
						t.Error("there is a permit too many")
					}
				})
			})
		})
	}
}

// C2: the one in front grants one behind it, which gives up at that moment: it has
// its permit, or that is there still.
func TestExploreGrantByAnotherMeetsCancel(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		l, granted := New(Per(0, tick), 1, WithSpent(1)), 0
		ctx, cancel := context.WithCancel(t.Context())
		r.After(cancel)
		r.Go("first", func() {
			if err := l.Wait(t.Context()); err != nil {
				t.Error(err)
			}
			granted++
		})
		r.Go("second", func() {
			if l.Wait(ctx) == nil {
				granted++
			}
		})
		r.Go("change", func() {
			l.SetBurst(3)
			cancel()
		})
		r.After(func() {
			for l.Allow() {
				granted++
			}
			if granted != 2 {
				t.Errorf("C2: %d permits of 2", granted)
			}
		})
	})
}

// R2, R3: one that needs less waits behind one that needs more, which gives up.
func TestExploreCancelLetsTheNextOn(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		l, h := New(Every(tick), 2, WithSpent(1)), newHistory(2, tick)
		ctx, cancel := context.WithCancel(t.Context())
		defer r.After(cancel)
		var first error
		r.Go("two", func() { first = l.WaitN(ctx, 2) })
		r.Go("one", func() {
			if err := l.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		})
		r.Go("cancel", cancel)
		r.After(func() {
			if took := time.Since(h.start); first != nil && took != 0 {
				t.Errorf("R2: the one behind it took %v", took)
			}
		})
	})
}

// R3: Allow does not overtake who waits, and gets what is left.
func TestExploreAllowMeetsWaiters(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		l, h := New(Every(tick), 1), newHistory(1, tick)
		h.claim(1, l.Allow)
		wait := func() bool { return l.Wait(t.Context()) == nil }
		r.Go("wait", func() { h.claim(1, wait) })
		r.Go("wait too", func() { h.claim(1, wait) })
		r.Go("allow", func() {
			time.Sleep(tick)
			point.At("one is due")
			if h.claim(1, l.Allow) {
				t.Error("R3: somebody was overtaken")
			}
		})
		r.After(func() {
			h.check(t, true)
			if took := time.Since(h.start); h.granted() != 3 || took != h.took(2) {
				t.Errorf("R2: %d permits in %v", h.granted(), took)
			}
		})
	})
}

// R2: what SetRate and SetBurst change, who waits notices.
func TestExploreChangesMeetWaiters(t *testing.T) {
	programs := map[string]struct {
		burst, n int
		change   func(l *Limiter)
		want     error
		took     time.Duration
	}{
		"a rate":            {1, 1, func(l *Limiter) { l.SetRate(Every(tick)) }, nil, tick},
		"no limit":          {1, 1, func(l *Limiter) { l.SetRate(Unlimited) }, nil, 0},
		"a larger burst":    {1, 1, func(l *Limiter) { l.SetBurst(3) }, nil, 0},
		"too small a one":   {2, 2, func(l *Limiter) { l.SetBurst(1) }, ErrExceedsBurst, 0},
		"no limit any more": {1, 1, func(l *Limiter) { l.Stop() }, ErrStopped, 0},
	}
	for name, p := range programs {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				l, start := New(Per(0, tick), p.burst, WithSpent(p.burst)), time.Now()
				waiters := []string{"wait"}
				if p.want == ErrStopped {
					waiters = append(waiters, "wait too")
				}
				for _, waiter := range waiters {
					r.Go(waiter, func() {
						if err := l.WaitN(t.Context(), p.n); !errors.Is(err, p.want) {
							t.Errorf("%v", err)
						}
					})
				}
				r.Go("change", func() { p.change(l) })
				r.After(func() {
					if took := time.Since(start); took != p.took {
						t.Errorf("R2: took %v", took)
					}
				})
			})
		})
	}
}

// R2: after Stop has returned nothing is granted, and nobody waits.
func TestExploreStop(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		l := New(Every(tick), 1)
		stopped := false
		r.Go("stop", func() { l.Stop(); stopped = true })
		r.Go("allow", func() {
			before := stopped
			if l.Allow() && before {
				t.Error("granted after Stop")
			}
		})
		r.Go("wait", func() {
			before := stopped
			if err := l.Wait(t.Context()); err != nil && err != ErrStopped || err == nil && before {
				t.Errorf("Wait: %v", err)
			}
		})
		r.After(func() {
			if l.Allow() || l.Reserve().OK() || l.Wait(t.Context()) != ErrStopped {
				t.Error("granted after Stop")
			}
		})
	})
}

// R2: a reservation that is cancelled in time leaves its place to who is behind
// it, and one that is not has been used (R1).
func TestExploreReservations(t *testing.T) {
	t.Run("in time", func(t *testing.T) {
		explore.Explore(t, func(t testing.TB, r *explore.Run) {
			l, start := New(Every(tick), 1, WithSpent(1)), time.Now()
			res := l.Reserve()
			r.Go("cancel", res.Cancel)
			r.Go("wait", func() {
				if err := l.Wait(t.Context()); err != nil {
					t.Error(err)
				}
			})
			r.Go("reserve", func() { l.Reserve().Cancel() })
			r.After(func() {
				if took := time.Since(start); took != tick {
					t.Errorf("R2: took %v", took)
				}
			})
		})
	})
	t.Run("or not", func(t *testing.T) {
		explore.Explore(t, func(t testing.TB, r *explore.Run) {
			l, h := New(Every(tick), 1), newHistory(1, tick)
			h.claim(1, l.Allow)
			res := l.Reserve()
			r.Go("cancel", func() {
				h.claim(1, func() bool { return res.Delay() == 0 }) // it is used then
				res.Cancel()
			})
			r.Go("allow", func() { h.claim(1, l.Allow) })
			r.Go("clock", func() { r.Pass(tick) })
			r.After(func() {
				h.claim(1, l.Allow)
				h.check(t, true)
			})
		})
	})
}
