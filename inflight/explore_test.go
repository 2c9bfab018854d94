//go:build points

package inflight

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/sched"
)

var errGone = errors.New("gone")

// hold acquires and releases a weight, and checks what is in flight meanwhile.
func hold(t testing.TB, l *Limiter, held *sched.Uint64, ctx context.Context, weight int) error {
	p, err := l.Acquire(ctx, weight)
	if err != nil {
		return err
	}
	if n := held.Add(uint64(weight)); n > l.limit.Load() {
		t.Errorf("I1: %d in flight", n)
	}
	held.Add(-uint64(weight))
	p.Release(Success)
	return nil
}

// idle fails the test unless all of the limit is free and nobody waits.
func idle(t testing.TB, l *Limiter) {
	if st := l.Stats(); st.InFlight != 0 || st.Waiting != 0 || l.line.next != &l.line {
		t.Errorf("I2: %v", st)
	}
	if !l.closed {
		if p, ok := l.TryAcquire(l.Limit()); !ok {
			t.Errorf("I2: the limit is not free: %v", l.Stats())
		} else {
			p.Release(Success)
		}
	}
}

// I1, I2: a Release meets callers that are about to wait, whose waiters are used again.
func TestExploreReleaseMeetsAcquire(t *testing.T) {
	for name, p := range map[string]struct {
		limit   int
		weights [][]int // of each goroutine
	}{
		"two":           {1, [][]int{{1}, {1}}},
		"twice":         {1, [][]int{{1, 1}, {1}}},
		"three":         {1, [][]int{{1}, {1}, {1}}},
		"heavy, light":  {2, [][]int{{2}, {1}, {1}}},
		"one for three": {3, [][]int{{3}, {1}, {2}}},
	} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				l, held := New(p.limit), new(sched.Uint64)
				for i, weights := range p.weights {
					r.Go(string(rune('a'+i)), func() {
						for _, weight := range weights {
							if err := hold(t, l, held, t.Context(), weight); err != nil {
								t.Error(err)
							}
						}
					})
				}
				r.After(func() { idle(t, l) })
			})
		})
	}
}

// I2, C2: of two that wait the first one gives up, before, as or after it is granted: what it
// does not take the other one gets.
func TestExploreCancelMeetsGrant(t *testing.T) {
	for name, weights := range map[string][2]int{"the same": {2, 2}, "less behind it": {2, 1}} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				l, held := New(2), new(sched.Uint64)
				p, _ := l.TryAcquire(1)
				ctx, cancel := context.WithCancelCause(t.Context())
				r.After(func() { cancel(nil) })
				r.Go("first", func() {
					if err := hold(t, l, held, ctx, weights[0]); err != nil && err != errGone {
						t.Errorf("C2: %v", err)
					}
				})
				r.Go("second", func() {
					if err := hold(t, l, held, t.Context(), weights[1]); err != nil {
						t.Errorf("I2: %v", err)
					}
				})
				r.Go("release", func() { p.Release(Success) })
				r.Go("cancel", func() { sched.Cancel(func() { cancel(errGone) }) })
				r.After(func() { idle(t, l) })
			})
		})
	}
}

// I1, C2: the signal for one that has given up as it was granted comes late: it is none for
// those that wait then.
func TestExploreLateSignal(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		l, held := New(1), new(sched.Uint64)
		p, _ := l.TryAcquire(1)
		ctx, cancel := context.WithCancelCause(t.Context())
		r.After(func() { cancel(nil) })
		r.Go("first", func() {
			if err := hold(t, l, held, ctx, 1); err != nil && err != errGone {
				t.Errorf("C2: %v", err)
			}
			if err := hold(t, l, held, t.Context(), 1); err != nil {
				t.Errorf("I2: %v", err)
			}
		})
		r.Go("other", func() {
			sched.Cancel(func() { cancel(errGone) })
			if err := hold(t, l, held, t.Context(), 1); err != nil {
				t.Errorf("I2: %v", err)
			}
		})
		r.Go("release", func() { p.Release(Success) })
		r.After(func() { idle(t, l) })
	})
}

// I3: TryAcquire gets what is left, and never what one that waits is to get.
func TestExploreTryAcquireMeetsWaiters(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		l := New(2)
		p, _ := l.TryAcquire(1)
		waits := func() bool { // at a moment at which the limiter is not locked
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.waiting > 0
		}
		r.Go("wait", func() {
			if err := hold(t, l, new(sched.Uint64), t.Context(), 2); err != nil {
				t.Error(err)
			}
		})
		r.Go("try", func() {
			before := waits()
			q, ok := l.TryAcquire(1)
			if after := waits(); ok && before && after {
				t.Error("I3: it was overtaken")
			}
			q.Release(Success)
		})
		r.Go("release", func() { p.Release(Success) })
		r.After(func() { idle(t, l) })
	})
}

// I1, I2, I4: what SetLimit and Close change, callers that wait notice.
func TestExploreChangesMeetWaiters(t *testing.T) {
	for name, p := range map[string]struct {
		limit, weight int
		change        func(l *Limiter)
		want          error
	}{
		"a limit":       {0, 1, func(l *Limiter) { l.SetLimit(1) }, nil},
		"a higher one":  {2, 2, func(l *Limiter) { l.SetLimit(3) }, nil},
		"too low a one": {2, 2, func(l *Limiter) { l.SetLimit(1) }, ErrExceedsLimit},
		"close":         {2, 2, func(l *Limiter) { _ = l.Close() }, ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				l := New(p.limit)
				q, _ := l.TryAcquire(1) // keeps it from being granted before
				for _, waiter := range []string{"wait", "wait too"} {
					r.Go(waiter, func() {
						if err := hold(t, l, new(sched.Uint64), t.Context(), p.weight); !errors.Is(err, p.want) {
							t.Errorf("%v, want %v", err, p.want)
						}
					})
				}
				r.Go("change", func() { p.change(l) })
				r.After(func() {
					q.Release(Success)
					if st := l.Stats(); st.InFlight != 0 || st.Waiting != 0 {
						t.Errorf("I2: %v", st)
					}
				})
			})
		})
	}
}

// I1: a lower limit meets callers that take without the lock, and one that was released twice
// is found.
func TestExploreLowerLimit(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		l := New(3)
		for _, name := range []string{"a", "b"} {
			r.Go(name, func() {
				p, ok := l.TryAcquire(2)
				if ok {
					p.Release(Success)
				}
			})
		}
		r.Go("lower", func() { l.SetLimit(2) })
		r.Go("higher", func() { l.SetLimit(4) })
		r.After(func() { idle(t, l) })
	})
}

// I4: after Close has returned nothing is granted, and nobody waits.
func TestExploreClose(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		l := New(1)
		closed := new(sched.Bool)
		r.Go("close", func() { _ = l.Close(); closed.Store(true) })
		r.Go("try", func() {
			before := closed.Load()
			p, ok := l.TryAcquire(1)
			if ok && before {
				t.Error("I4: granted after Close")
			}
			p.Release(Success)
		})
		r.Go("wait", func() {
			before := closed.Load()
			p, err := l.Acquire(t.Context(), 1)
			if err != nil && err != ErrClosed || err == nil && before {
				t.Errorf("I4: %v", err)
			}
			p.Release(Success)
		})
		r.After(func() { idle(t, l) })
	})
}

// I3: one of higher priority that comes later goes first, and meets a Release and the end of
// the other one's context.
func TestExplorePriorities(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		l := New(2, WithPriority(time.Second, func(ctx context.Context) int {
			_, high := ctx.Deadline()
			if high {
				return 1
			}
			return 0
		}))
		held := new(sched.Uint64)
		p, _ := l.TryAcquire(1)
		low, cancel := context.WithCancelCause(t.Context())
		high, stop := context.WithTimeout(t.Context(), time.Minute)
		r.After(func() { cancel(nil); stop() })
		r.Go("low", func() {
			if err := hold(t, l, held, low, 2); err != nil && err != errGone {
				t.Errorf("C2: %v", err)
			}
		})
		r.Go("high", func() {
			if err := hold(t, l, held, high, 1); err != nil {
				t.Errorf("I3: %v", err)
			}
		})
		r.Go("cancel", func() { sched.Cancel(func() { cancel(errGone) }) })
		r.After(func() {
			p.Release(Success)
			idle(t, l)
		})
	})
}

// I2: an adaptive limiter raises its limit by a Release, which grants two.
func TestExploreLearning(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		l := NewAdaptive(1, 8, AIMD(0))
		l.adaptive.cohort.size = 2 // a round that ends soon
		for _, name := range []string{"a", "b", "c"} {
			r.Go(name, func() {
				p, err := l.Acquire(t.Context(), 1)
				if err != nil {
					t.Error(err)
				}
				p.Release(Success)
			})
		}
		r.After(func() { idle(t, l) })
	})
}
