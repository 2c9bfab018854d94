//go:build points

package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pipeline"
)

var errEnough = errors.New("enough")

// atOnce is s with no room for items that wait for it.
func atOnce(s pipeline.Stage[int, int]) pipeline.Stage[int, int] {
	return pipeline.Then(pipeline.Buffer[int](0), s)
}

// narrow is add with no room on either side.
func narrow(n int, opts ...pipeline.Option) pipeline.Stage[int, int] {
	return atOnce(add(n, opts...).Buffer(0))
}

// failing is a stage that fails with err at the given item.
func failing(at int, err error, opts ...pipeline.Option) pipeline.Stage[int, int] {
	return pipeline.Map(func(_ context.Context, v int) (int, error) {
		if v == at {
			return 0, err
		}
		return v, nil
	}, opts...).Buffer(0)
}

// collect is explored: s is run on so many items, and what comes out and the
// error are looked at.
func collect(t *testing.T, s pipeline.Stage[int, int], n int, look func(t testing.TB, got []int, err error)) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		r.Go("caller", func() {
			got, err := s.Collect(t.Context(), count(n))
			look(t, got, err)
		})
	})
}

// want is a look for what must come out.
func want(items ...int) func(t testing.TB, got []int, err error) {
	return func(t testing.TB, got []int, err error) {
		if err != nil || !slices.Equal(got, items) {
			t.Errorf("got %v, %v, want %v", got, err, items)
		}
	}
}

// inAnyOrder is want that does not look at the order.
func inAnyOrder(items ...int) func(t testing.TB, got []int, err error) {
	return func(t testing.TB, got []int, err error) {
		want(items...)(t, slices.Sorted(slices.Values(got)), err)
	}
}

// What goes in comes out, in order.
func TestExploreStages(t *testing.T) {
	for name, c := range map[string]struct {
		stage pipeline.Stage[int, int]
		items int
		look  func(testing.TB, []int, error)
	}{
		"one":             {add(1), 1, want(1)},
		"one, narrow":     {narrow(1), 2, want(1, 2)},
		"two, narrow":     {pipeline.Then(narrow(1), add(1).Buffer(0)), 3, want(2, 3, 4)},
		"workers, narrow": {narrow(1, pipeline.WithWorkers(2)), 3, want(1, 2, 3)},
		"unordered":       {add(1, pipeline.WithWorkers(2), pipeline.Unordered()), 2, inAnyOrder(1, 2)},
		"take, narrow":    {pipeline.Then(narrow(1), pipeline.Take[int](2)), 9, want(1, 2)},
		"merge":           {atOnce(pipeline.Merge(add(1).Buffer(0), add(3).Buffer(0))), 2, inAnyOrder(1, 2, 3, 4)},
		"split": {pipeline.Split(func(v int) bool { return v > 0 }, map[bool]pipeline.Stage[int, int]{
			true: add(1), false: add(9).Buffer(0)}), 2, inAnyOrder(2, 9)},
		"take in a branch": {pipeline.Merge(pipeline.Take[int](1), add(3)), 2, inAnyOrder(0, 3, 4)},
		"zip": {atOnce(pipeline.Zip(add(1).Buffer(0), add(2).Buffer(0), func(a, b int) int { return 10*a + b })), 2,
			want(12, 23)},
	} {
		t.Run(name, func(t *testing.T) { collect(t, c.stage, c.items, c.look) })
	}
}

// emits is a stage that emits v and v + 10.
func emits(opts ...pipeline.Option) pipeline.Stage[int, int] {
	return pipeline.FlatMap(func(_ context.Context, v int, emit func(int) error) error {
		if err := emit(v); err != nil {
			return err
		}
		sched.Opaque("has emitted one")
		return emit(v + 10)
	}, opts...)
}

// A call may emit ahead of its turn, and its way is used again.
func TestExploreFlatMap(t *testing.T) {
	t.Run("ordered", func(t *testing.T) {
		collect(t, emits(pipeline.WithWorkers(2)), 2, want(0, 10, 1, 11))
	})
	t.Run("unordered", func(t *testing.T) {
		collect(t, emits(pipeline.WithWorkers(2), pipeline.Unordered()).Buffer(0), 2, inAnyOrder(0, 1, 10, 11))
	})
	t.Run("left", func(t *testing.T) {
		collect(t, pipeline.Then(emits(pipeline.WithWorkers(2)), pipeline.Take[int](2)), 3, want(0, 10))
	})
	t.Run("fails", func(t *testing.T) {
		s := pipeline.FlatMap(func(_ context.Context, v int, emit func(int) error) error {
			if v == 1 {
				return errItem
			}
			return emit(v)
		}, pipeline.WithWorkers(2))
		collect(t, s, 3, fails(errItem))
	})
}

// A batch comes when it is full, when it is old enough, or at the end, and no
// item is lost or doubled between these.
func TestExploreBatch(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		r.Go("caller", func() {
			var got []int
			in := func(yield func(int) bool) {
				for i := range 3 {
					if i == 1 {
						time.Sleep(time.Second)
					}
					if !yield(i) {
						return
					}
				}
			}
			for b, err := range pipeline.Batch[int](2, time.Second).Run(t.Context(), pipeline.Seq(in)) {
				if err != nil || len(b) == 0 {
					t.Error(b, err)
				}
				got = append(got, b...)
			}
			want(0, 1, 2)(t, got, nil)
		})
	})
}

// fails is a look for an error, and no item that is not before the one that failed.
func fails(want error) func(testing.TB, []int, error) {
	return func(t testing.TB, got []int, err error) {
		if !errors.Is(err, want) || errors.Is(err, context.Canceled) || len(got) > 1 || len(got) == 1 && got[0] != 0 {
			t.Errorf("got %v, %v", got, err)
		}
	}
}

// L3: the first error ends the run, wherever everybody is, and nothing behind it
// comes out.
func TestExploreAnError(t *testing.T) {
	broken := pipeline.Map(func(_ context.Context, v int) (int, error) {
		if v == 1 {
			panic(errItem)
		}
		return v, nil
	}).Buffer(0)
	for name, s := range map[string]pipeline.Stage[int, int]{
		"first stage":  pipeline.Then(failing(1, errItem), narrow(0)),
		"second stage": pipeline.Then(narrow(0), failing(1, errItem)),
		"panic":        pipeline.Then(add(0), broken),
		"workers":      failing(1, errItem, pipeline.WithWorkers(2)),
		"branch":       pipeline.Split(func(int) bool { return true }, map[bool]pipeline.Stage[int, int]{true: failing(1, errItem)}),
		"zip":          pipeline.Zip(failing(1, errItem), add(0), func(a, b int) int { return a + b }),
	} {
		t.Run(name, func(t *testing.T) { collect(t, atOnce(s), 3, fails(errItem)) })
	}
	t.Run("results wait behind it", func(t *testing.T) {
		later := make(chan struct{}, 1)
		s := pipeline.Map(func(_ context.Context, v int) (int, error) {
			switch v {
			case 0:
				sched.Park(later)
				return 0, errItem
			case 2: // its worker has put down the result of 1
				sched.Signal(later)
			}
			return v, nil
		}, pipeline.WithWorkers(2)).Buffer(4)
		collect(t, s, 3, func(t testing.TB, got []int, err error) {
			if len(got) > 0 || !errors.Is(err, errItem) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	})
	t.Run("goexit", func(t *testing.T) {
		collect(t, pipeline.Map(func(_ context.Context, v int) (int, error) {
			if v == 1 {
				runtime.Goexit()
			}
			return v, nil
		}), 2, fails(pipeline.ErrGoexit))
	})
}

// L3: two stages fail: one error is the first, what the other one says is joined to
// it or has not happened, and the functions see the first as the cause.
func TestExploreTwoErrors(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		var inner context.Context
		second := pipeline.Map(func(ctx context.Context, _ int) (int, error) {
			inner = ctx
			return 0, errEnough
		}).Buffer(0)
		r.Go("caller", func() {
			got, err := pipeline.Then(failing(1, errItem), second).Collect(t.Context(), count(2))
			if len(got) > 0 || !errors.Is(err, errItem) && !errors.Is(err, errEnough) {
				t.Errorf("got %v, %v", got, err)
			}
			if all, ok := err.(interface{ Unwrap() []error }); ok {
				err = all.Unwrap()[0]
			}
			if inner != nil && context.Cause(inner) != err {
				t.Errorf("the first error is %v, the cause %v", err, context.Cause(inner))
			}
		})
	})
}

// L4: the loop is left while the stages send: all goroutines end, and the source
// is not drained.
func TestExploreBreak(t *testing.T) {
	for name, s := range map[string]pipeline.Stage[int, int]{
		"two stages": pipeline.Then(narrow(0), add(0).Buffer(0)),
		"workers":    narrow(0, pipeline.WithWorkers(2)),
		"merge":      atOnce(pipeline.Merge(add(0).Buffer(0), add(0).Buffer(0))),
		"zip":        atOnce(pipeline.Zip(add(0).Buffer(0), add(0).Buffer(0), func(a, _ int) int { return a })),
	} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				pulled, over := 0, false
				r.Go("caller", func() {
					for v, err := range s.Run(t.Context(), pipeline.Seq(func(yield func(int) bool) {
						for pulled = 0; yield(pulled); pulled++ {
						}
					})) {
						if v != 0 || err != nil {
							t.Errorf("got %d, %v", v, err)
						}
						break
					}
					over = true
				})
				r.After(func() {
					if !over || pulled > 100 {
						t.Errorf("over: %v, %d items pulled", over, pulled)
					}
				})
			})
		})
	}
}

// L9: a value that a stage has made is received by the function behind, or by OnDiscard,
// once, wherever both are when the run ends.
func TestExploreDiscard(t *testing.T) {
	for name, c := range map[string]struct {
		opts   []pipeline.Option
		failAt int // the item for which the first stage fails
		twice  bool
	}{
		"one worker":                       {nil, -1, false},
		"one worker, which fails":          {nil, 1, false},
		"two workers":                      {[]pipeline.Option{pipeline.WithWorkers(2)}, -1, false},
		"two workers, the first one fails": {[]pipeline.Option{pipeline.WithWorkers(2)}, 0, false},
		"branches":                         {nil, -1, true},
	} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				var a account
				first := pipeline.Map(func(_ context.Context, v int) (int, error) {
					if v == c.failAt {
						return 0, errItem
					}
					return a.make(v), nil
				}, c.opts...)
				if c.twice {
					first = pipeline.Merge(first, first)
				}
				second := pipeline.Map(func(_ context.Context, v int) (int, error) {
					if a.receive(v); v == 1 {
						return 0, errEnough
					}
					return v, nil
				})
				s := pipeline.Then(first.OnDiscard(a.receive), second)
				r.Go("caller", func() { _, _ = s.Collect(t.Context(), count(3)) })
				r.After(func() {
					if fmt.Sprint(a.made) != fmt.Sprint(a.received) {
						t.Errorf("made %v, received %v", a.made, a.received)
					}
				})
			})
		})
	}
}

// Until ends a run while items come and go: each item that was read comes out.
func TestExploreUntil(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		stop, end := context.WithCancel(t.Context())
		var read, got []int
		src := pipeline.Seq(func(yield func(int) bool) {
			for v := range 3 {
				read = append(read, v)
				if !yield(v) {
					return
				}
			}
		})
		r.Go("caller", func() {
			var err error
			if got, err = narrow(0).Collect(t.Context(), pipeline.Until(stop, src)); err != nil {
				t.Error(err)
			}
		})
		r.Go("signal", func() {
			sched.Opaque("before the signal")
			end()
		})
		r.After(func() {
			if !slices.Equal(got, read) {
				t.Errorf("read %v, got %v", read, got)
			}
		})
	})
}

// The context ends while everybody waits or works: its cause is the error unless
// all had come out before.
func TestExploreCancel(t *testing.T) {
	for name, s := range map[string]pipeline.Stage[int, int]{
		"one stage":  add(0),
		"two stages": pipeline.Then(narrow(0), add(0).Buffer(0)),
		"workers":    narrow(0, pipeline.WithWorkers(2)),
		"take":       pipeline.Then(narrow(0), pipeline.Take[int](2)),
		"zip":        atOnce(pipeline.Zip(add(0), add(0), func(a, _ int) int { return a })),
	} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				ctx, cancel := context.WithCancelCause(t.Context())
				r.Go("caller", func() {
					got, err := s.Collect(ctx, count(2))
					if !slices.Equal(got, []int{0, 1}[:len(got)]) || err == nil && len(got) != 2 || err != nil && err != errEnough {
						t.Errorf("got %v, %v", got, err)
					}
				})
				r.Go("canceller", func() { cancel(errEnough) })
			})
		})
	}
}

// The least of runs, a source and the caller: in every order there is without an
// item, if TANDEM_SCHEDULES allows for some 20,000.
func TestExploreSmallest(t *testing.T) {
	t.Run("no item", func(t *testing.T) { collect(t, pipeline.Buffer[int](0), 0, want()) })
	t.Run("an item", func(t *testing.T) { collect(t, pipeline.Buffer[int](0), 1, want(0)) })
}

// The last item comes as the context ends: a stage that drops it does not say that
// all has been sent.
func TestExploreCancelAtTheEnd(t *testing.T) {
	for name, s := range map[string]pipeline.Stage[int, int]{
		"one stage": add(0),
		"fused":     pipeline.Fuse(add(0), add(0)),
		"flat map": pipeline.FlatMap(func(_ context.Context, v int, emit func(int) error) error {
			return emit(v)
		}),
		"batch":   pipeline.Then(pipeline.Batch[int](1, time.Hour), pipeline.Unbatch[int]()),
		"workers": add(0, pipeline.WithWorkers(2)),
	} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				ctx, cancel := context.WithCancelCause(t.Context())
				r.Go("caller", func() {
					got, err := s.Collect(ctx, pipeline.Seq(func(yield func(int) bool) {
						if yield(0) && yield(1) {
							cancel(errEnough)
						}
					}))
					if err == nil && len(got) != 2 || err != nil && err != errEnough {
						t.Errorf("got %v, %v", got, err)
					}
				})
			})
		})
	}
}

// Everybody is parked, for want of items from a source that waits for the
// context: the end of the run wakes them.
func TestExploreCancelOfTheIdle(t *testing.T) {
	s := pipeline.Then(add(0, pipeline.WithWorkers(2)), add(0))
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		ctx, cancel := context.WithCancelCause(t.Context())
		in := make(chan int)
		r.Go("caller", func() {
			out, wait := s.Execute(ctx, in)
			for range out {
				t.Error("an item")
			}
			if err := wait(); err != errEnough {
				t.Error(err)
			}
		})
		r.Go("canceller", func() { cancel(errEnough) })
	})
}

// L4: a Take has enough while the input stays open and no more comes, in front of
// which there are branches, or in each branch: the run ends.
func TestExploreTakeBehindBranches(t *testing.T) {
	for name, s := range map[string]pipeline.Stage[int, int]{
		"merge":       pipeline.Merge(add(0)).Take(1),
		"two":         pipeline.Merge(add(0), pipeline.Buffer[int](0)).Take(1),
		"zip":         pipeline.Zip(add(0), add(0), func(a, _ int) int { return a }).Take(1),
		"take inside": pipeline.Merge(pipeline.Take[int](1), pipeline.Take[int](0)),
	} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				r.Go("caller", func() {
					in := make(chan int, 1) // never closed
					in <- 0
					n := 0
					out, wait := s.Execute(t.Context(), in)
					for range out {
						n++
					}
					if err := wait(); n != 1 || err != nil {
						t.Errorf("%d results, %v", n, err)
					}
				})
			})
		})
	}
}

// Execute gives each item once and closes; two waits get the same.
func TestExploreExecute(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		in := make(chan int)
		r.Go("sender", func() {
			for i := range 2 {
				in <- i
			}
			close(in)
		})
		r.Go("caller", func() {
			got := testkit.NewLedger(2)
			out, wait := narrow(0).Execute(t.Context(), in)
			for v := range out {
				got.Note(v)
			}
			got.ExactlyOnce(t)
			if err := errors.Join(wait(), wait()); err != nil {
				t.Error(err)
			}
		})
	})
}
