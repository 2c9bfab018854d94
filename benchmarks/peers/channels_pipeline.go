package peers

import (
	"context"
	"iter"

	"github.com/tandemgo/tandem/benchmarks/work"
)

// A channelResult is an item, or an error in its place.
type channelResult[T any] struct {
	Value T
	Err   error
}

func channelSource[T any](ctx context.Context, in iter.Seq[T], buffer int) <-chan channelResult[T] {
	out := make(chan channelResult[T], buffer)
	go func() {
		defer close(out)
		for v := range in {
			select {
			case out <- channelResult[T]{Value: v}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

func channelStage[In, Out any](ctx context.Context, in <-chan channelResult[In], buffer int, fn func(context.Context, In) (Out, error)) <-chan channelResult[Out] {
	out := make(chan channelResult[Out], buffer)
	go func() {
		defer close(out)
		for r := range in {
			next := channelResult[Out]{Err: r.Err}
			if r.Err == nil {
				next.Value, next.Err = fn(ctx, r.Value)
			}
			select {
			case out <- next:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// channelStages has a goroutine for each stage, and channels with a buffer between
// them.
func channelStages(buffer int) work.NewFlow {
	return func(stages ...work.Step) work.Flow {
		return func(ctx context.Context, in iter.Seq[int], sink func(int)) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			results := channelSource(ctx, in, buffer)
			for _, stage := range stages {
				results = channelStage(ctx, results, buffer, stage)
			}
			return channelSink(ctx, results, sink)
		}
	}
}

func channelSink(ctx context.Context, results <-chan channelResult[int], sink func(int)) error {
	for r := range results {
		if r.Err != nil {
			return r.Err
		}
		sink(r.Value)
	}
	return context.Cause(ctx)
}
