package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/pipeline"
)

// L3: once an error is recorded, or the context has ended, no function of a stage
// begins, though many items wait for it: in every kind of stage, and in a stage that
// is fused behind another. Each function takes a second and looks at no context.
func TestL3NoFunctionBeginsAfterTheEnd(t *testing.T) {
	const quick = 3000 // items that are fast, and make the links hold many
	type stage = pipeline.Stage[int, int]
	two := pipeline.WithWorkers(2)
	for name, make := range map[string]func(step func(v int) error) stage{
		"map": func(step func(int) error) stage {
			return pipeline.Map(func(_ context.Context, v int) (int, error) { return v, step(v) })
		},
		"workers": func(step func(int) error) stage {
			return pipeline.Map(func(_ context.Context, v int) (int, error) { return v, step(v) }, two)
		},
		"time limit": func(step func(int) error) stage {
			return pipeline.Map(func(_ context.Context, v int) (int, error) { return v, step(v) }, pipeline.WithTimeout(time.Hour))
		},
		"retry": func(step func(int) error) stage {
			return pipeline.Map(func(_ context.Context, v int) (int, error) {
				_ = step(v)
				if v >= quick {
					return 0, errItem
				}
				return v, nil
			}, pipeline.WithRetry(pipeline.RetryPolicy{Attempts: 1000}))
		},
		"replace": func(step func(int) error) stage {
			return pipeline.MapOr(func(_ context.Context, v int) (int, error) { return 0, number(v) },
				func(_ context.Context, f pipeline.Failure[int]) (int, error) { return 0, step(int(f.Err.(number))) })
		},
		"filter": func(step func(int) error) stage {
			return pipeline.Filter(func(_ context.Context, v int) (bool, error) { return false, step(v) })
		},
		"tap": func(step func(int) error) stage { return pipeline.Tap(func(v int) { _ = step(v) }) },
		"throttle": func(step func(int) error) stage {
			v := -1
			return pipeline.Throttle[int](func(context.Context) error { v++; return step(v) })
		},
		"flat map": func(step func(int) error) stage {
			return pipeline.FlatMap(func(_ context.Context, v int, _ func(int) error) error { return step(v) })
		},
		"flat map, workers": func(step func(int) error) stage {
			return pipeline.FlatMap(func(_ context.Context, v int, _ func(int) error) error { return step(v) }, two)
		},
		"split": func(step func(int) error) stage {
			return pipeline.Split(func(v int) bool { _ = step(v); return true }, map[bool]stage{true: add(0)})
		},
		"by key": func(step func(int) error) stage {
			return pipeline.ByKey(2, func(v int) int { _ = step(v); return v }, add(0))
		},
		"zip": func(step func(int) error) stage {
			return pipeline.Zip(add(0), add(0), func(a, _ int) int { _ = step(a); return a })
		},
		"fused": func(step func(int) error) stage {
			return pipeline.Fuse(add(0), pipeline.Tap(func(v int) { _ = step(v) }))
		},
		"behind an unbatch": func(step func(int) error) stage {
			return pipeline.Then(pipeline.Batch[int](500, 0), pipeline.Fuse(pipeline.Unbatch[int](), pipeline.Tap(func(v int) { _ = step(v) })))
		},
		"emitted": func(step func(int) error) stage {
			return pipeline.Fuse(pipeline.FlatMap(func(_ context.Context, v int, emit func(int) error) error {
				return errors.Join(emit(v), emit(v), emit(v))
			}), pipeline.Tap(func(v int) { _ = step(v) }))
		},
		"lane": func(step func(int) error) stage {
			return pipeline.Merge(pipeline.Tap(func(v int) { _ = step(v) }))
		},
	} {
		for _, how := range []string{"error", "cancel"} {
			t.Run(name+", "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancelCause(t.Context())
					var end, late atomic.Int64 // when it was, and what has begun after that
					step := func(v int) error {
						if v < quick {
							return nil
						}
						if at := end.Load(); at != 0 && time.Now().UnixNano() >= at {
							late.Add(1)
						}
						time.Sleep(time.Second)
						return nil
					}
					// Another stage fails, or the context ends, while the first slow
					// functions are at work.
					side := pipeline.Split(func(v int) bool { return v == -1 }, map[bool]stage{
						true: pipeline.Map(func(context.Context, int) (int, error) {
							time.Sleep(500 * time.Millisecond)
							end.Store(time.Now().UnixNano() + 1)
							if how == "cancel" {
								cancel(errEnds)
								return 0, nil
							}
							return 0, errEnds
						}),
						false: make(step),
					})
					_, err := side.Collect(ctx, pipeline.Seq(func(yield func(int) bool) {
						for i := range 2 * quick {
							if i == quick+100 && !yield(-1) || !yield(i) {
								return
							}
						}
					}))
					if late.Load() > 0 || !errors.Is(err, errEnds) {
						t.Errorf("%d functions have begun after the end; %v", late.Load(), err)
					}
					cancel(nil)
				})
			})
		}
	}
}

// L3: the function of ForEach and the loop over Run count as one of the stages there.
func TestL3NoResultComesAfterTheEnd(t *testing.T) {
	const quick = 3000
	for _, how := range []string{"loop", "function"} {
		synctest.Test(t, func(t *testing.T) {
			late := 0
			var ended atomic.Bool
			s := pipeline.Map(func(_ context.Context, v int) (int, error) {
				if v == quick+200 {
					time.Sleep(500 * time.Millisecond)
					ended.Store(true)
					return 0, errItem
				}
				return v, nil
			})
			body := func(v int) {
				if v < quick {
					return
				}
				if ended.Load() {
					late++
				}
				time.Sleep(time.Second)
			}
			var err error
			if how == "loop" {
				var v int
				for v, err = range s.Run(t.Context(), count(2*quick)) {
					if err == nil {
						body(v)
					}
				}
			} else {
				err = s.ForEach(t.Context(), count(2*quick), func(_ context.Context, v int) error { body(v); return nil })
			}
			if !errors.Is(err, errItem) || late > 0 {
				t.Errorf("%s: %d results after the end, %v", how, late, err)
			}
		})
	}
}

// L3: no handler is asked once the run has ended, also between two of them, and the
// error that it would have been asked about is not lost.
func TestL3NoHandlerBeginsAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		asked := ""
		s := pipeline.MapOr(func(context.Context, int) (int, error) { return 0, errItem },
			func(_ context.Context, f pipeline.Failure[int]) (int, error) {
				asked += "or "
				cancel(errEnds)
				return 0, f.Err
			},
			pipeline.WithErrorHandler(func(error) pipeline.ErrorAction { asked += "error "; return pipeline.Skip }))
		_, err := s.Collect(ctx, count(1))
		if asked != "or " || !errors.Is(err, errEnds) || !errors.Is(err, errItem) {
			t.Errorf("%swere asked; %v", asked, err)
		}
	})
}

// L3, L4: emit returns an error once the run has ended, though there is room.
func TestL4EmitEndsWithTheRun(t *testing.T) {
	for _, opts := range [][]pipeline.Option{nil, {pipeline.WithWorkers(2)}, {pipeline.WithWorkers(2), pipeline.Unordered()}} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			var got error
			s := pipeline.FlatMap(func(_ context.Context, v int, emit func(int) error) error {
				cancel(errEnds)
				got = emit(v)
				return nil
			}, opts...)
			if _, err := s.Collect(ctx, count(1)); err != errEnds || got != errEnds {
				t.Errorf("%v; emit: %v", err, got)
			}
		})
	}
}

// L8: a time limit does not hide what the function itself says, and an error that is
// Permanent stays so.
func TestL8ATimeLimitHidesNothing(t *testing.T) {
	final := pipeline.Permanent(errItem)
	for name, c := range map[string]struct {
		err   error
		calls int
		is    []error
	}{
		"permanent":            {final, 1, []error{errItem, context.DeadlineExceeded}},
		"wrapped permanent":    {fmt.Errorf("page: %w", final), 1, []error{errItem, context.DeadlineExceeded}},
		"joined permanent":     {errors.Join(errEnds, fmt.Errorf("page: %w", final)), 1, []error{errItem, errEnds, context.DeadlineExceeded}},
		"its own":              {errItem, 3, []error{errItem, context.DeadlineExceeded}},
		"of the context":       {context.DeadlineExceeded, 3, []error{context.DeadlineExceeded}},
		"wraps the context's":  {fmt.Errorf("query: %w", context.DeadlineExceeded), 3, []error{context.DeadlineExceeded}},
		"of another context":   {context.Canceled, 3, []error{context.Canceled, context.DeadlineExceeded}},
		"a panic of its own":   {nil, 1, []error{errItem}},
		"of a panic elsewhere": {&pipeline.PanicError{Value: errItem}, 1, []error{errItem}},
	} {
		for _, workers := range []int{1, 2} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					calls := 0
					s := pipeline.Map(func(context.Context, int) (int, error) {
						calls++
						time.Sleep(1100 * time.Millisecond) // a little late
						if c.err == nil {
							panic(errItem)
						}
						return 0, c.err
					}, pipeline.WithTimeout(time.Second), pipeline.WithRetry(pipeline.RetryPolicy{Attempts: 3}), pipeline.WithWorkers(workers))
					_, err := s.Collect(t.Context(), count(1))
					for _, want := range c.is {
						if !errors.Is(err, want) {
							t.Errorf("%v is not in %v", want, err)
						}
					}
					if calls != c.calls || c.err != nil && !strings.Contains(err.Error(), c.err.Error()) {
						t.Errorf("%d calls, want %d; %v", calls, c.calls, err)
					}
				})
			})
		}
	}
}

// L8: a retry does not hide what the function has said: neither when all attempts
// after that have had no result in time, nor when the run ends before the next one.
func TestL8ARetryHidesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		s := pipeline.Map(func(ctx context.Context, _ int) (int, error) {
			if calls++; calls == 1 {
				return 0, errItem
			}
			<-ctx.Done()
			return 0, ctx.Err()
		}, pipeline.WithTimeout(time.Second), pipeline.WithRetry(pipeline.RetryPolicy{Attempts: 4}))
		if _, err := s.Collect(t.Context(), count(1)); calls != 4 || !errors.Is(err, errItem) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%d calls, %v", calls, err)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s = pipeline.Map(func(context.Context, int) (int, error) { return 0, errItem },
			pipeline.WithRetry(pipeline.RetryPolicy{Attempts: 1 << 30, Delay: time.Second}))
		if _, err := s.Collect(ctx, count(1)); !errors.Is(err, errItem) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the run ends between two attempts: %v", err)
		}
	})
}

// L8: handlers that fail, or panic, hide neither the error of the function nor that
// of the handler before.
func TestL8AFailingHandlerHidesNothing(t *testing.T) {
	errOther, errLetter := errors.New("no other value"), errors.New("letter box is full")
	permanent := pipeline.Permanent(errItem)
	other := func(context.Context, pipeline.Failure[int]) (int, error) { return 0, errOther }
	for name, c := range map[string]struct {
		or   func(context.Context, pipeline.Failure[int]) (int, error)
		opts []pipeline.Option
		is   []error
	}{
		"another error": {other, nil, []error{errOther}},
		"an error that wraps": {func(_ context.Context, f pipeline.Failure[int]) (int, error) {
			return 0, fmt.Errorf("%w: %w", errOther, f.Err)
		}, nil, []error{errOther}},
		"the same error": {func(_ context.Context, f pipeline.Failure[int]) (int, error) { return 0, f.Err }, nil, nil},
		"a panic":        {func(context.Context, pipeline.Failure[int]) (int, error) { panic(errOther) }, nil, []error{errOther}},
		"a handler that panics": {other, []pipeline.Option{
			pipeline.WithErrorHandler(func(error) pipeline.ErrorAction { panic(errLetter) })}, []error{errOther, errLetter}},
	} {
		for _, workers := range []int{1, 2} {
			s := pipeline.MapOr(func(context.Context, int) (int, error) { return 0, permanent }, c.or, append(c.opts, pipeline.WithWorkers(workers))...)
			_, err := s.Collect(t.Context(), count(1))
			for _, want := range append(c.is, errItem, permanent) {
				if !errors.Is(err, want) {
					t.Errorf("%s: %v is not in %v", name, want, err)
				}
			}
		}
	}
}
