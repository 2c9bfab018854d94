//go:build points

package fan_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/tandemgo/tandem/fan"
	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/testkit"
)

var errCause = errors.New("enough")

// The function of Map is called once for each element.
func TestExploreMap(t *testing.T) {
	for _, c := range []struct {
		name    string
		n, size int
	}{
		{"two elements", 2, 2},
		{"four elements", 2, 4},
		{"runs of two", 2, 9},
		{"three goroutines", 3, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				r.Go("caller", func() {
					calls := testkit.NewLedger(c.size)
					out, err := fan.Map(t.Context(), c.n, numbers(c.size), func(_ context.Context, v int) (int, error) {
						calls.Note(v)
						if v < 4 {
							sched.Opaque("at work")
						}
						return v * v, nil
					})
					if err != nil || !slices.Equal(out, squares(c.size)) {
						t.Errorf("got %v, %v", out, err)
					}
					calls.ExactlyOnce(t)
				})
			})
		})
	}
}

// F4: the rest of a run of cheap elements is shared when one of them was slow, whether the
// caller or another worker has claimed it: of five slow neighbours in a run, the other four
// take two goroutines two hours.
func TestExploreShare(t *testing.T) {
	const size = 64
	for _, from := range []int{20, 30, 40} {
		t.Run(fmt.Sprint("from ", from), func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				r.Go("caller", func() {
					calls, start := testkit.NewLedger(size), time.Now()
					_, err := fan.Map(t.Context(), 2, numbers(size), func(_ context.Context, v int) (int, error) {
						if calls.Note(v); v >= from && v < from+5 {
							time.Sleep(time.Hour)
						} else {
							time.Sleep(time.Nanosecond)
						}
						return v, nil
					})
					calls.ExactlyOnce(t)
					if d := time.Since(start); err != nil || d > 3*time.Hour+time.Minute {
						t.Errorf("%v after %v", err, d)
					}
				})
			})
		})
	}
}

// F4: the rest of a part of a Reduce is taken over: no goroutine is idle while an
// element waits, so elements of a second each take the least time there is.
func TestExploreSteal(t *testing.T) {
	for _, c := range []struct{ n, size int }{{2, 18}, {3, 27}} {
		t.Run(fmt.Sprint(c.size, " by ", c.n), func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				r.Go("caller", func() {
					start := time.Now()
					got, err := fan.Reduce(t.Context(), c.n, numbers(c.size),
						func() []int { return nil },
						func(acc []int, v int) ([]int, error) { time.Sleep(time.Second); return append(acc, v), nil },
						func(a, b []int) []int { return append(a, b...) })
					if d := time.Since(start); err != nil || !slices.Equal(got, numbers(c.size)) || d != time.Duration(c.size/c.n)*time.Second {
						t.Errorf("got %v, %v after %v", got, err, d)
					}
				})
			})
		})
	}
}

// C2: a function that begins does so before the end of its context.
func TestExploreNothingBeginsAfterTheEnd(t *testing.T) {
	for name, run := range map[string]func(context.Context, func(context.Context, int) (int, error)) error{
		"Map": func(ctx context.Context, fn func(context.Context, int) (int, error)) error {
			_, err := fan.Map(ctx, 2, numbers(3), fn)
			return err
		},
		"ForEach": func(ctx context.Context, fn func(context.Context, int) (int, error)) error {
			return fan.ForEach(ctx, 2, count(3), func(ctx context.Context, v int) error { _, err := fn(ctx, v); return err })
		},
		"Seq": func(ctx context.Context, fn func(context.Context, int) (int, error)) error {
			return last(fan.Seq(ctx, 2, count(3), fn))
		},
		"ByKey": func(ctx context.Context, fn func(context.Context, int) (int, error)) error {
			return last(fan.ByKey(ctx, 1, count(2), func(v int) int { return v }, fn))
		},
		"First": func(ctx context.Context, fn func(context.Context, int) (int, error)) error {
			_, err := fan.First(ctx, each(2, fn)...)
			return err
		},
		"Out": func(ctx context.Context, fn func(context.Context, int) (int, error)) error {
			drain(fan.Out(ctx, feed(ctx, 2), 1, fn)...)
			return context.Cause(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				ctx, cancel := context.WithCancelCause(t.Context())
				r.Go("caller", func() {
					err := run(ctx, func(_ context.Context, v int) (int, error) {
						if ctx.Err() != nil {
							t.Errorf("%d is begun after the end", v)
						}
						sched.Opaque("at work")
						return v, nil
					})
					if err != nil && !errors.Is(err, errCause) {
						t.Errorf("got %v", err)
					}
				})
				r.Go("canceller", func() { sched.Cancel(func() { cancel(errCause) }) })
			})
		})
	}
}

// The first error ends the call, a panic is one, and so is a Goexit of a helper;
// nothing is called twice, and the context of the calls has ended.
func TestExploreMapFails(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error":  func() error { return errItem },
		"panic":  func() error { panic(errItem) },
		"goexit": func() error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				ended := false
				r.Go("caller", func() {
					calls := testkit.NewLedger(4)
					defer func() {
						ended = true
						calls.AtMostOnce(t)
					}()
					_, err := fan.Map(t.Context(), 2, numbers(4), func(ctx context.Context, v int) (int, error) {
						calls.Note(v)
						switch v {
						case 1:
							sched.Opaque("before it fails")
							return 0, fail()
						case 2: // it may wait for the end
							sched.Opaque("at work")
							if calls.Seen(1) == 1 {
								<-ctx.Done()
							}
						}
						return v, nil
					})
					if !errors.Is(err, errItem) && !errors.Is(err, fan.ErrGoexit) {
						t.Errorf("got %v", err)
					}
				})
				r.After(func() {
					if !ended {
						t.Error("the call has not ended")
					}
				})
			})
		})
	}
}

// Two fail at once: the first one counts, and the other functions see it
// as the cause.
func TestExploreTwoFail(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		r.Go("caller", func() {
			var inner context.Context
			_, err := fan.Map(t.Context(), 2, numbers(2), func(ctx context.Context, v int) (int, error) {
				inner = ctx
				sched.Opaque("before it fails")
				return 0, []error{errItem, errCause}[v]
			})
			if !errors.Is(err, errItem) && !errors.Is(err, errCause) {
				t.Errorf("got %v", err)
			}
			if cause := context.Cause(inner); !errors.Is(err, cause) {
				t.Errorf("the context ended with %v, the call with %v", cause, err)
			}
		})
	})
}

// The context of the caller ends as they work or wait.
func TestExploreMapIsCancelled(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		ctx, cancel := context.WithCancelCause(t.Context())
		r.Go("caller", func() {
			calls := testkit.NewLedger(3)
			out, err := fan.Map(ctx, 2, numbers(3), func(ctx context.Context, v int) (int, error) {
				calls.Note(v)
				if v == 1 {
					<-ctx.Done()
					return 0, context.Cause(ctx)
				}
				return v, nil
			})
			calls.AtMostOnce(t)
			if !errors.Is(err, errCause) || len(out) != 3 {
				t.Errorf("got %v, %v", out, err)
			}
		})
		r.Go("canceller", func() { sched.Cancel(func() { cancel(errCause) }) })
	})
}

// Done of the context is called as the call ends: its channel is closed.
func TestExploreTheContextOfMap(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		ctxs := make(chan context.Context, 1)
		r.Go("caller", func() {
			_, _ = fan.Map(t.Context(), 2, numbers(2), func(ctx context.Context, v int) (int, error) {
				if v == 0 {
					ctxs <- ctx
				}
				return v, nil
			})
		})
		for range 2 {
			r.Go("watcher", func() {
				ctx := <-ctxs
				ctxs <- ctx
				sched.Opaque("knows the context")
				<-ctx.Done()
				if ctx.Err() == nil {
					t.Error("it has ended without an error")
				}
			})
		}
	})
}

// Every part is merged, in order.
func TestExploreReduce(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		r.Go("caller", func() {
			got, err := fan.Reduce(t.Context(), 2, numbers(4),
				func() []int { return nil },
				func(acc []int, v int) ([]int, error) { sched.Opaque("folds"); return append(acc, v), nil },
				func(a, b []int) []int { return append(a, b...) })
			if err != nil || !slices.Equal(got, numbers(4)) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	})
}

// Every item is worked on; after an error the source is left.
func TestExploreForEach(t *testing.T) {
	for name, failing := range map[string]int{"all": -1, "error": 1} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				r.Go("caller", func() {
					calls := testkit.NewLedger(3)
					err := fan.ForEach(t.Context(), 2, count(3), func(_ context.Context, v int) error {
						calls.Note(v)
						sched.Opaque("at work")
						if v == failing {
							return errItem
						}
						return nil
					})
					if failing < 0 {
						calls.ExactlyOnce(t)
					} else if !errors.Is(err, errItem) {
						t.Errorf("got %v", err)
					}
					calls.AtMostOnce(t)
				})
			})
		})
	}
}

// A source that is ahead by as many items as may wait goes on when there is room.
func TestExploreTheSourceIsFarAhead(t *testing.T) {
	const size = 2*1 + 16 + 2
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		r.Go("caller", func() {
			calls := testkit.NewLedger(size)
			err := fan.ForEach(t.Context(), 1, count(size), func(_ context.Context, v int) error {
				calls.Note(v)
				return nil
			})
			if calls.ExactlyOnce(t); err != nil {
				t.Error(err)
			}
		})
	})
}

// A source that waits for room leaves with the context.
func TestExploreTheSourceIsCancelled(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		ctx, cancel := context.WithCancelCause(t.Context())
		r.Go("caller", func() {
			err := fan.ForEach(ctx, 1, count(20), func(ctx context.Context, _ int) error {
				sched.ParkCtx(ctx, nil)
				return nil
			})
			if !errors.Is(err, errCause) {
				t.Errorf("got %v", err)
			}
		})
		r.Go("canceller", func() { sched.Cancel(func() { cancel(errCause) }) })
	})
}
