//go:build points

package fan_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"

	"github.com/tandemgo/tandem/fan"
	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/testkit"
)

// A walk gives each result once, in order if that is asked for, and is left
// without a trace.
func TestExploreSeq(t *testing.T) {
	for _, c := range []struct {
		name  string
		opts  []fan.Option
		leave int
	}{
		{"ordered", nil, -1},
		{"unordered", []fan.Option{fan.Unordered()}, -1},
		{"left", nil, 0},
		{"left, unordered", []fan.Option{fan.Unordered()}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				r.Go("walker", func() {
					var got []int
					for v, err := range fan.Seq(t.Context(), 2, count(3), square, c.opts...) {
						if err != nil {
							t.Error(err)
						}
						if got = append(got, v); len(got)-1 == c.leave {
							break
						}
					}
					if c.opts != nil {
						slices.Sort(got)
					}
					if c.leave < 0 && !slices.Equal(got, squares(3)) || c.leave == 0 && got[0] != 0 {
						t.Errorf("got %v", got)
					}
				})
			})
		})
	}
}

// The context ends during a walk: its cause is the last pair, if not all had
// come before.
func TestExploreSeqIsCancelled(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		ctx, cancel := context.WithCancelCause(t.Context())
		r.Go("walker", func() {
			var got []int
			var last error
			for v, err := range fan.Seq(ctx, 2, count(2), square) {
				if last = err; err == nil {
					got = append(got, v)
				}
			}
			if last == nil && len(got) != 2 || last != nil && !errors.Is(last, errCause) || !slices.Equal(got, squares(2)[:len(got)]) {
				t.Errorf("got %v, %v", got, last)
			}
		})
		r.Go("canceller", func() { sched.Cancel(func() { cancel(errCause) }) })
	})
}

// The source panics: that is the last pair of a walk, behind the results of what it
// has given.
func TestExploreTheSourceFails(t *testing.T) {
	broken := func(yield func(int) bool) {
		if yield(0) {
			panic(errItem)
		}
	}
	for name, walk := range map[string]func(context.Context) iter.Seq2[int, error]{
		"Seq": func(ctx context.Context) iter.Seq2[int, error] { return fan.Seq(ctx, 2, broken, square) },
		"ByKey": func(ctx context.Context) iter.Seq2[int, error] {
			return fan.ByKey(ctx, 1, broken, func(int) int { return 0 }, square)
		},
	} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				r.Go("walker", func() {
					var errs []error
					for _, err := range walk(t.Context()) {
						errs = append(errs, err)
					}
					if len(errs) != 2 || errs[0] != nil || !errors.Is(errs[1], errItem) {
						t.Errorf("got %v", errs)
					}
				})
			})
		})
	}
}

// Items with the same key are worked on one after the other, in their order.
func TestExploreOneItemOfAKey(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		r.Go("walker", func() {
			next, at := 0, false
			for _, err := range fan.ByKey(t.Context(), 2, count(3), func(int) int { return 0 }, func(_ context.Context, v int) (int, error) {
				sched.Opaque("begins")
				if v != next || at {
					t.Errorf("%d is begun, want %d; another one is in work: %v", v, next, at)
				}
				next, at = v+1, true
				sched.Opaque("ends")
				at = false
				return v, nil
			}) {
				if err != nil {
					t.Error(err)
				}
			}
		})
	})
}

// Items with different keys: the walk ends when all are done, and when the loop is left.
func TestExploreByKey(t *testing.T) {
	for name, leave := range map[string]int{"all": -1, "left": 1} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				r.Go("walker", func() {
					got := testkit.NewLedger(3)
					for v, err := range fan.ByKey(t.Context(), 2, count(3), func(v int) int { return v }, square) {
						if err != nil {
							t.Error(err)
						}
						if got.Note((v + 1) / 2); got.Total() == leave {
							break
						}
					}
					if got.AtMostOnce(t); leave < 0 {
						got.ExactlyOnce(t)
					}
				})
			})
		})
	}
}

// F4: an item does not wait while there is a goroutine for it: of three items on two
// goroutines, the first waits for the last.
func TestExploreItemsMeet(t *testing.T) {
	type function = func(context.Context, int) (int, error)
	for name, run := range map[string]func(context.Context, function) error{
		"ForEach": func(ctx context.Context, fn function) error {
			return fan.ForEach(ctx, 2, count(3), func(ctx context.Context, v int) error { _, err := fn(ctx, v); return err })
		},
		"Seq": func(ctx context.Context, fn function) error { return last(fan.Seq(ctx, 2, count(3), fn)) },
		"ByKey": func(ctx context.Context, fn function) error {
			return last(fan.ByKey(ctx, 2, count(3), func(v int) int { return v / 2 * 2 }, fn))
		},
	} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				r.Go("caller", func() {
					met := make(chan struct{})
					err := run(t.Context(), func(_ context.Context, v int) (int, error) {
						switch v {
						case 0:
							sched.Opaque("waits for the last item")
							<-met
						case 2:
							sched.Opaque("is the last item")
							close(met)
						}
						return v, nil
					})
					if err != nil {
						t.Error(err)
					}
				})
			})
		})
	}
}

// Items of Out come in by In, each once, and all goroutines end with the context.
func TestExploreOutAndIn(t *testing.T) {
	for name, want := range map[string]int{"all": 2, "left": 1} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				r.Go("consumer", func() {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					got := testkit.NewLedger(2)
					for res := range fan.In(ctx, fan.Out(ctx, feed(ctx, 2), 2, square)...) {
						if got.Note(res.Value); got.Total() == want {
							break
						}
					}
					if got.AtMostOnce(t); got.Total() != want {
						t.Errorf("%d of %d", got.Total(), want)
					}
				})
			})
		})
	}
}

// One wins, all return.
func TestExploreFirst(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		r.Go("caller", func() {
			var at testkit.Gauge
			runner := func(v int, err error) func(context.Context) (int, error) {
				return func(ctx context.Context) (int, error) {
					at.Enter()
					defer at.Leave()
					sched.Opaque("runs")
					return v, err
				}
			}
			v, err := fan.First(t.Context(), runner(1, nil), runner(0, errItem), runner(1, nil))
			if v != 1 || err != nil || at.Now() != 0 {
				t.Errorf("got %v, %v; %d still run", v, err, at.Now())
			}
		})
	})
}

// The least of loops, one item on one goroutine, and of maps, in every order there
// is: they are exhausted in some hundred runs.
func TestExploreSmallest(t *testing.T) {
	for name, n := range map[string]int{"no item": 0, "an item": 1} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				r.Go("caller", func() {
					calls := testkit.NewLedger(n)
					err := fan.ForEach(t.Context(), 1, count(n), func(_ context.Context, v int) error {
						calls.Note(v)
						return nil
					})
					if err != nil {
						t.Error(err)
					}
					calls.ExactlyOnce(t)
				})
			})
		})
	}
	t.Run("two elements", func(t *testing.T) {
		explore.Explore(t, func(t testing.TB, r *explore.Run) {
			r.Go("caller", func() {
				out, err := fan.Map(t.Context(), 2, numbers(2), func(_ context.Context, v int) (int, error) { return v, nil })
				if err != nil || !slices.Equal(out, numbers(2)) {
					t.Errorf("got %v, %v", out, err)
				}
			})
		})
	})
}
