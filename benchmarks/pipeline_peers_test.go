package benchmarks

import (
	"context"
	"iter"

	"github.com/samber/ro"
	"github.com/sourcegraph/conc/stream"
)

// concFlow: conc has no pipeline. A stream of tasks that take all the steps
// stands in, on as many goroutines as there would be at work. It is ordered, as
// ours is, and has no errors, so the first one is kept by hand.
func concFlow(goroutines int, fns ...stageFunc) flow {
	return func(ctx context.Context, in iter.Seq[int], sink func(int)) error {
		var failed error // written and read by the callbacks, one at a time
		tasks := stream.New().WithMaxGoroutines(goroutines)
		for v := range in {
			tasks.Go(func() stream.Callback {
				out, err := steps(ctx, v, fns)
				return func() {
					switch {
					case failed != nil:
					case err != nil:
						failed = err
					default:
						sink(out)
					}
				}
			})
		}
		tasks.Wait()
		return failed
	}
}

func steps(ctx context.Context, v int, fns []stageFunc) (int, error) {
	for _, fn := range fns {
		var err error
		if v, err = fn(ctx, v); err != nil {
			return 0, err
		}
	}
	return v, nil
}

// roFlow: an observable of ro is synchronous. Each operator calls the next one,
// all on the goroutine of the source, so the stages do not run in parallel: its
// counterpart is our fused pipeline, and a plain loop.
func roFlow(fns ...stageFunc) flow {
	return func(ctx context.Context, in iter.Seq[int], sink func(int)) error {
		results := roSource(in)
		for _, fn := range fns {
			results = roMap(fn)(results)
		}
		return roSink(ctx, results, sink)
	}
}

// roObserveOnFlow has a goroutine for each operator, and queues with a buffer
// between them.
func roObserveOnFlow(buffer int, fns ...stageFunc) flow {
	return func(ctx context.Context, in iter.Seq[int], sink func(int)) error {
		results := roSource(in)
		for _, fn := range fns {
			results = ro.Pipe2(results, ro.ObserveOn[int](buffer), roMap(fn))
		}
		return roSink(ctx, ro.Pipe1(results, ro.ObserveOn[int](buffer)), sink)
	}
}

// roSource is unsafe in the words of ro, as all its sources with one goroutine
// are: it takes no lock for an item.
func roSource(in iter.Seq[int]) ro.Observable[int] {
	return ro.NewUnsafeObservableWithContext(func(ctx context.Context, next ro.Observer[int]) ro.Teardown {
		for v := range in {
			next.NextWithContext(ctx, v)
		}
		next.CompleteWithContext(ctx)
		return nil
	})
}

func roMap(fn stageFunc) func(ro.Observable[int]) ro.Observable[int] {
	return ro.MapErrWithContext(func(ctx context.Context, v int) (int, context.Context, error) {
		out, err := fn(ctx, v)
		return out, ctx, err
	})
}

func roSink(ctx context.Context, results ro.Observable[int], sink func(int)) error {
	end := make(chan error, 1)
	results.SubscribeWithContext(ctx, ro.NewObserver(sink,
		func(err error) { end <- err },
		func() { end <- nil },
	))
	return <-end
}

// classicFlow has a source of its own, which yields 0 to n-1 as well, and no
// errors.
func classicFlow(n, stages int) flow {
	inc := func(v any) any { return v.(int) + 1 }
	return func(ctx context.Context, _ iter.Seq[int], sink func(int)) error {
		results := classicSource(ctx, n)
		for range stages {
			results = classicStage(ctx, results, inc)
		}
		for v := range results {
			sink(v.(int))
		}
		return context.Cause(ctx)
	}
}
