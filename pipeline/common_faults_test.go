package pipeline_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pipeline"
)

// runs are all ways to run a stage on the items 0 … n-1.
var runs = map[string]func(ctx context.Context, s pipeline.Stage[int, int], n int) error{
	"Collect": func(ctx context.Context, s pipeline.Stage[int, int], n int) error {
		_, err := s.Collect(ctx, count(n))
		return err
	},
	"Execute": func(ctx context.Context, s pipeline.Stage[int, int], n int) error {
		in := make(chan int, n)
		for i := range n {
			in <- i
		}
		close(in)
		out, wait := s.Execute(ctx, in)
		for range out {
		}
		return wait()
	},
	"ForEach": func(ctx context.Context, s pipeline.Stage[int, int], n int) error {
		return s.ForEach(ctx, count(n), func(context.Context, int) error { return nil })
	},
	"Run": func(ctx context.Context, s pipeline.Stage[int, int], n int) (last error) {
		for _, last = range s.Run(ctx, count(n)) {
		}
		return last
	},
	"Run of Seq2": func(ctx context.Context, s pipeline.Stage[int, int], n int) (last error) {
		for _, last = range s.Run(ctx, pipeline.Seq2(func(yield func(int, error) bool) {
			for i := range n {
				if !yield(i, nil) {
					return
				}
			}
		})) {
		}
		return last
	},
}

// A nil context panics; one that has ended before is answered with its cause and
// nothing runs; one that ends during a run ends it, and one that ends later changes
// nothing. The bubble fails if something is left.
func TestFaultFC1Contexts(t *testing.T) {
	cause := errors.New("enough")
	for name, run := range runs {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var none context.Context
				if testkit.Panicked(func() { _ = run(none, add(1), 1) }) == nil {
					t.Error("a nil context does not panic")
				}
				ctx, cancel := context.WithCancelCause(t.Context())
				if err := run(ctx, five(func(context.Context, int) error { return nil }), 50); err != nil {
					t.Errorf("with nothing in the way: %v", err)
				}
				cancel(cause) // later
				ran := false
				never := func(context.Context, int) error { ran = true; return nil }
				if err := run(ctx, five(never), 50); err != cause || ran {
					t.Errorf("ended before: %v, ran %v", err, ran)
				}
				ctx, cancel = context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { cancel(cause) })
				blocks := func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }
				if err := run(ctx, five(blocks), 50); err != cause {
					t.Errorf("ended during the run: %v", err)
				}
			})
		})
	}
}

// A function that ignores its context is waited for, as nothing may be left; all
// other functions end meanwhile, and the run returns as it does.
func TestFaultFC4FunctionIgnoresItsContext(t *testing.T) {
	for name, run := range runs {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				forever := make(chan struct{})
				var in testkit.Gauge
				returned := false
				go func() {
					_ = run(ctx, five(func(ctx context.Context, v int) error {
						in.Enter()
						defer in.Leave()
						if v == 0 {
							<-forever
						} else {
							<-ctx.Done()
						}
						return nil
					}), 50)
					returned = true
				}()
				synctest.Wait()
				if in.Now() != 3 {
					t.Errorf("%d workers are at it, want 3", in.Now())
				}
				cancel()
				synctest.Wait()
				if in.Now() != 1 || returned {
					t.Errorf("%d functions run, returned %v", in.Now(), returned)
				}
				close(forever)
				synctest.Wait()
				if in.Now() != 0 || !returned {
					t.Errorf("in the end %d functions run, returned %v", in.Now(), returned)
				}
			})
		})
	}
}

// What ends a run is its context, and what ends Execute is waiting: again, from 64
// goroutines, and from inside a function, while it works.
func TestFaultFC5EndTwice(t *testing.T) {
	endings(t, func(cancel func()) { cancel(); cancel() })
	synctest.Test(t, func(t *testing.T) {
		in := make(chan int)
		close(in)
		_, wait := add(1).Execute(t.Context(), in)
		for range 3 {
			if err := wait(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestFaultFC6EndFromEverywhere(t *testing.T) {
	endings(t, func(cancel func()) {
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(cancel)
		}
		wg.Wait()
	})
	synctest.Test(t, func(t *testing.T) {
		in := make(chan int)
		out, wait := add(1).Execute(t.Context(), in)
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				if err := wait(); err != nil {
					t.Error(err)
				}
			})
		}
		in <- 1
		<-out
		close(in)
		wg.Wait()
	})
}

// From inside: the context, Take, and a run that is left in its own loop, of which
// the function is a part.
func TestFaultFC7EndInsideAFunction(t *testing.T) {
	endings(t, func(cancel func()) { cancel() })
	synctest.Test(t, func(t *testing.T) {
		inner := func(ctx context.Context, v int) (int, error) {
			for got, err := range add(v).Run(ctx, pipeline.Seq(endless(new(error)))) {
				return got, err
			}
			return 0, nil
		}
		out, err := pipeline.Map(inner, pipeline.WithWorkers(3)).Take(20).Collect(t.Context(), pipeline.Seq(endless(new(error))))
		if len(out) != 20 || out[19] != 19 || err != nil {
			t.Errorf("%v, %v", out, err)
		}
	})
}

// endings calls end inside a function of every kind of run, at the sixth item.
func endings(t *testing.T, end func(cancel func())) {
	for name, run := range runs {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				err := run(ctx, five(func(ctx context.Context, v int) error {
					if v == 5 {
						end(cancel)
					}
					if v > 5 {
						<-ctx.Done()
					}
					return nil
				}), 1000)
				if err != context.Canceled {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// Every item once, in order, while the number of processors changes.
func TestFaultFC8ProcessorsChange(t *testing.T) {
	const n = 20_000
	change := testkit.Procs(t)
	s := pipeline.Then(add(1), pipeline.Then(five(func(_ context.Context, v int) error { return nil }), add(1, pipeline.WithWorkers(4))))
	testkit.Watchdog(t, func() {
		next := 0
		err := s.ForEach(t.Context(), count(n), func(_ context.Context, v int) error {
			if v != next+3 {
				t.Errorf("got %d, want %d", v, next+3)
			}
			if next++; next%1000 == 0 {
				change()
			}
			return nil
		})
		if err != nil || next != n {
			t.Errorf("%d items, %v", next, err)
		}
	})
}

func TestFaultFC9HeapReturns(t *testing.T) {
	s := pipeline.Then(add(1), pipeline.Then(add(1, pipeline.WithWorkers(3)), pipeline.Then(pipeline.Batch[int](100, 0), pipeline.Unbatch[int]())))
	testkit.HeapReturns(t, func(items int) {
		n := 0
		if err := s.ForEach(t.Context(), count(items), func(context.Context, int) error { n++; return nil }); err != nil || n != items {
			t.Fatalf("%d items, %v", n, err)
		}
	})
}

// Every pair of methods may be called at once on one recipe, with one observer.
func TestFaultFC10AllPairsAtOnce(t *testing.T) {
	type fixture struct {
		s      pipeline.Stage[int, int]
		seen   *pipeline.Observer
		ctx    context.Context
		cancel func()
	}
	keep := func(context.Context, int) (bool, error) { return true, nil }
	collect := func(f fixture, s pipeline.Stage[int, int]) {
		if _, err := s.Collect(f.ctx, count(40)); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	calls := map[string]func(fixture){
		"cancel":          func(f fixture) { f.cancel() },
		"Observer.Edges":  func(f fixture) { _ = f.seen.Edges() },
		"Observer.Stats":  func(f fixture) { _ = f.seen.Stats() },
		"Stage.OnDiscard": func(f fixture) { collect(f, f.s.OnDiscard(func(int) {})) },
		"Stage.Buffer":    func(f fixture) { collect(f, f.s.Buffer(3)) },
		"Stage.Filter":    func(f fixture) { collect(f, f.s.Filter(keep)) },
		"Stage.Mermaid":   func(f fixture) { _ = f.s.Mermaid() },
		"Stage.Observe":   func(f fixture) { collect(f, f.s.Observe(new(pipeline.Observer))) },
		"Stage.String":    func(f fixture) { _ = f.s.String() },
		"Stage.Take":      func(f fixture) { collect(f, f.s.Take(9)) },
		"Stage.Tap":       func(f fixture) { collect(f, f.s.Tap(func(int) {})) },
		"Stage.Throttle":  func(f fixture) { collect(f, f.s.Throttle(func(context.Context) error { return nil })) },
	}
	for name, run := range runs {
		calls["Stage."+name] = func(f fixture) {
			if err := run(f.ctx, f.s, 40); err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
	}
	testkit.Complete(t, testkit.Exported(t, "Stage", "Observer"), calls)
	testkit.Pairs(t, calls, func() fixture {
		ctx, cancel := context.WithCancel(t.Context())
		seen := new(pipeline.Observer)
		return fixture{five(func(context.Context, int) error { return nil }).Observe(seen), seen, ctx, cancel}
	}, func(f fixture) { f.cancel() })
}
