//go:build points

package ratelimit

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/sched"
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
		"a new meter": func(l *Limiter) { l.SetRate(Per(2, 3*tick)); l.SetRate(Every(tick)) },
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
					h.check(t, name == "a new meter")
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
					}
					sched.Cancel(func() { cancel(errGone) })
				})
				r.After(func() {
					if second != nil || first != nil && first != errGone {
						t.Errorf("C2: %v, %v", first, second)
					}
					h.check(t, true)
					if took := h.end(); took != h.took(h.granted()-1) {
						t.Errorf("R2: %v for %d permits", took, h.granted())
					}
					if time.Since(h.start) == h.end() && l.Allow() || l.claims.Len() > 0 {
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
			sched.Cancel(cancel)
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
		var took time.Duration
		r.Go("two", func() { first = l.WaitN(ctx, 2) })
		r.Go("one", func() {
			if err := l.Wait(t.Context()); err != nil {
				t.Error(err)
			}
			took = time.Since(h.start)
		})
		r.Go("cancel", func() { sched.Cancel(cancel) })
		r.After(func() {
			if first != nil && took != 0 {
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
			r.Step("one is due")
			if h.claim(1, l.Allow) {
				t.Error("R3: somebody was overtaken")
			}
		})
		r.After(func() {
			h.check(t, true)
			if took := h.end(); h.granted() != 3 || took != h.took(2) {
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
		"no limit any more": {1, 1, func(l *Limiter) { _ = l.Close() }, ErrClosed, 0},
	}
	for name, p := range programs {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				l, start := New(Per(0, tick), p.burst, WithSpent(p.burst)), time.Now()
				waiters := []string{"wait"}
				if p.want == ErrClosed {
					waiters = append(waiters, "wait too")
				}
				for _, waiter := range waiters {
					r.Go(waiter, func() {
						if err := l.WaitN(t.Context(), p.n); !errors.Is(err, p.want) || time.Since(start) != p.took {
							t.Errorf("R2: %v after %v", err, time.Since(start))
						}
					})
				}
				r.Go("change", func() { p.change(l) })
			})
		})
	}
}

// R2: after Close has returned nothing is granted, and nobody waits.
func TestExploreClose(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		l := New(Every(tick), 1)
		closed := false
		r.Go("close", func() { _ = l.Close(); closed = true })
		r.Go("allow", func() {
			before := closed
			if l.Allow() && before {
				t.Error("granted after Close")
			}
		})
		r.Go("wait", func() {
			before := closed
			if err := l.Wait(t.Context()); err != nil && err != ErrClosed || err == nil && before {
				t.Errorf("Wait: %v", err)
			}
		})
		r.After(func() {
			if l.Allow() || l.Reserve().OK() || l.Wait(t.Context()) != ErrClosed {
				t.Error("granted after Close")
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
			r.Go("cancel", func() { res.Cancel() })
			r.Go("wait", func() {
				if err := l.Wait(t.Context()); err != nil || time.Since(start) != tick {
					t.Errorf("R2: %v after %v", err, time.Since(start))
				}
			})
		})
	})
	t.Run("or not", func(t *testing.T) {
		explore.Explore(t, func(t testing.TB, r *explore.Run) {
			l, h := New(Every(tick), 1), newHistory(1, tick)
			h.claim(1, l.Allow)
			res := l.Reserve()
			r.Go("use", func() { h.claim(1, func() bool { return res.Delay() == 0 }) })
			r.Go("allow", func() { h.claim(1, l.Allow) })
			r.Go("clock", func() { r.Pass(tick) })
			r.After(func() {
				h.claim(1, l.Allow)
				h.check(t, true)
			})
		})
	})
}

// R1: what is charged and settled while others ask is not lost, whatever the clock does.
func TestExploreChargeAndSettle(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		l, granted := New(Per(0, tick), 4), 0
		res := l.ReserveN(2)
		r.Go("settle", func() { res.Settle(1) })
		r.Go("charge", func() { l.Charge(1) })
		r.Go("allow", func() {
			for l.Allow() {
				granted++
			}
		})
		r.After(func() {
			for l.Allow() {
				granted++
			}
			if granted < 2 || granted > 3 || l.Stats().Owed < 4 { // 3: if the charge came last
				t.Errorf("R1: %d permits, %+v", granted, l.Stats())
			}
		})
	})
}

// R1, R2: a limiter with a parent and one that is the parent answer as if calls came one
// after the other.
func TestExploreParentClaims(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		l, h := New(Every(tick), 2), newHistory(2, tick)
		m := New(Every(tick), 3, WithParent(l))
		r.Go("child", func() { h.claim(1, m.Allow) })
		r.Go("parent", func() { h.claim(1, l.Allow) })
		r.Go("clock", func() { r.Pass(tick) })
		r.After(func() {
			h.claim(1, m.Allow)
			h.check(t, false)
		})
	})
}

// R2, R3, C2: of two that wait at the parent the first one gives up: the other one, there or
// at a child, is granted what that leaves.
func TestExploreParentCancelMeetsGrant(t *testing.T) {
	for _, name := range []string{"a child", "the parent"} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				l, h := New(Every(tick), 1), newHistory(1, tick)
				m := New(Unlimited, 1, WithParent(l))
				h.claim(1, m.Allow)
				ctx, cancel := context.WithCancelCause(t.Context())
				r.After(func() { cancel(nil) })
				wait := m.Wait
				if name == "the parent" {
					wait = l.Wait
				}
				var first, second error
				r.Go("first", func() {
					h.claim(1, func() bool { first = m.Wait(ctx); return first == nil })
				})
				r.Go("second", func() {
					h.claim(1, func() bool { second = wait(t.Context()); return second == nil })
				})
				r.Go("cancel", func() {
					time.Sleep(tick / 2)
					sched.Cancel(func() { cancel(errGone) })
				})
				r.After(func() {
					if second != nil || first != nil && first != errGone {
						t.Errorf("C2: %v, %v", first, second)
					}
					h.check(t, true)
					if took := h.end(); took != h.took(h.granted()-1) {
						t.Errorf("R2: %v for %d permits", took, h.granted())
					}
				})
			})
		})
	}
}

// R2: what happens to the parent, callers that wait at a child notice.
func TestExploreParentNotices(t *testing.T) {
	for name, change := range map[string]func(l *Limiter){
		"a rate": func(l *Limiter) { l.SetRate(Every(tick)) },
		"close":  func(l *Limiter) { _ = l.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				l := New(Per(0, tick), 1, WithSpent(1))
				m := New(Every(tick), 1, WithParent(l), WithSpent(1))
				start := time.Now()
				r.Go("wait", func() {
					err, took := m.Wait(t.Context()), time.Since(start)
					if name == "close" && (err != ErrClosed || took != 0) || name != "close" && (err != nil || took != tick) {
						t.Errorf("R2: %v after %v", err, took)
					}
				})
				r.Go("change", func() { change(l) })
			})
		})
	}
}
