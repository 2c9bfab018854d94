//go:build points

package fan_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/tandemgo/tandem/fan"
	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/point"
	"github.com/tandemgo/tandem/internal/testkit"
)

var errCause = errors.New("enough")

// A function of Map is called once for each element, whoever it is that calls.
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
							point.At("at work")
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

// F2: what is left of a dear run is given away. On two goroutines the elements up
// to 5 are done two at a time; then one has 6, 7 and 8, and the other all others,
// which cost nothing: so 7 and 8 are at work at once.
func TestExploreGiveAndTake(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		r.Go("caller", func() {
			var dear testkit.Gauge
			calls := testkit.NewLedger(18)
			_, err := fan.Map(t.Context(), 2, numbers(18), func(_ context.Context, v int) (int, error) {
				calls.Note(v)
				if v >= 7 && v <= 8 {
					dear.Enter()
					defer dear.Leave()
				}
				if v <= 8 {
					time.Sleep(time.Second) // when nobody else has anything to do
				}
				return v, nil
			})
			calls.ExactlyOnce(t)
			if err != nil || dear.Most() != 2 {
				t.Errorf("%v, %d dear elements at once", err, dear.Most())
			}
		})
	})
}

// F2: who has been woken and finds that another one has taken what was given away
// waits for the next. Three goroutines work in step on the runs of 1, 2 and 4
// elements; then one has the run of dear, another one the first of the next, and
// the third nothing to do. As the dear run is shared, the two of them are after
// the same part, and yet all three are at work in the end.
func TestExploreTakeAndTake(t *testing.T) {
	const size, dear = 75, 21
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		r.Go("caller", func() {
			var at testkit.Gauge
			calls := testkit.NewLedger(size)
			_, err := fan.Map(t.Context(), 3, numbers(size), func(_ context.Context, v int) (int, error) {
				calls.Note(v)
				if v > dear && v < dear+8 {
					at.Enter()
					defer at.Leave()
				}
				if v < dear+8 || v == dear+8 {
					time.Sleep(time.Second)
				}
				return v, nil
			})
			calls.ExactlyOnce(t)
			if err != nil || at.Most() != 3 {
				t.Errorf("%v, %d dear elements at once", err, at.Most())
			}
		})
	})
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
							point.At("before it fails")
							return 0, fail()
						case 2: // it may wait for the end
							point.At("at work")
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

// Two fail at once: the first one counts, whoever says so first, and the other
// functions see it as the cause.
func TestExploreTwoFail(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		r.Go("caller", func() {
			var inner context.Context
			_, err := fan.Map(t.Context(), 2, numbers(2), func(ctx context.Context, v int) (int, error) {
				inner = ctx
				point.At("before it fails")
				return 0, []error{errItem, errCause}[v]
			})
			if err != errItem && err != errCause {
				t.Errorf("got %v", err)
			}
			if cause := context.Cause(inner); cause != err {
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
			if err != errCause || len(out) != 3 {
				t.Errorf("got %v, %v", out, err)
			}
		})
		r.Go("canceller", func() { cancel(errCause) })
	})
}

// Somebody asks for the end of the context as the call ends: he gets to see it.
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
				point.At("knows the context")
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
				func(acc []int, v int) ([]int, error) { point.At("folds"); return append(acc, v), nil },
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
						point.At("at work")
						if v == failing {
							return errItem
						}
						return nil
					})
					if failing < 0 {
						calls.ExactlyOnce(t)
					} else if err != errItem {
						t.Errorf("got %v", err)
					}
					calls.AtMostOnce(t)
				})
			})
		})
	}
}
