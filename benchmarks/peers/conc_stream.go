package peers

import (
	"context"
	"iter"

	"github.com/sourcegraph/conc/stream"

	"github.com/tandemgo/tandem/benchmarks/work"
)

// concFlow uses a stream of tasks that take all the steps, since conc has no pipeline.
// It has as many goroutines as a pipeline would have, and is ordered.
func concFlow(goroutines int, stages ...work.Step) work.Flow {
	return func(ctx context.Context, in iter.Seq[int], sink func(int)) error {
		var first firstError
		tasks := stream.New().WithMaxGoroutines(goroutines)
		for v := range in {
			tasks.Go(func() stream.Callback {
				out, err := work.Steps(ctx, v, stages)
				return func() { first.sink(out, err, sink) }
			})
		}
		tasks.Wait()
		return first.err
	}
}
