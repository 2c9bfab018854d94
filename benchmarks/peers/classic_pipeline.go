package peers

import (
	"context"
	"iter"

	"github.com/tandemgo/tandem/benchmarks/work"
)

// classicStages has no errors, so it keeps the first one itself.
func classicStages(stages ...work.Step) work.Flow {
	return func(ctx context.Context, in iter.Seq[int], sink func(int)) error {
		results := classicSource(ctx, in)
		for _, stage := range stages {
			results = classicStage(ctx, results, func(v any) any {
				if _, failed := v.(error); failed {
					return v
				}
				out, err := stage(ctx, v.(int))
				if err != nil {
					return err
				}
				return out
			})
		}
		var first firstError
		for v := range results {
			err, _ := v.(error)
			out, _ := v.(int)
			first.sink(out, err, sink)
		}
		return first.err
	}
}

func classicStage(ctx context.Context, in <-chan any, fn func(any) any) <-chan any {
	out := make(chan any)
	go func() {
		defer close(out)
		for v := range in {
			select {
			case <-ctx.Done():
				return
			case out <- fn(v):
			}
		}
	}()
	return out
}

func classicSource(ctx context.Context, in iter.Seq[int]) <-chan any {
	out := make(chan any)
	go func() {
		defer close(out)
		for i := range in {
			select {
			case <-ctx.Done():
				return
			case out <- i:
			}
		}
	}()
	return out
}
