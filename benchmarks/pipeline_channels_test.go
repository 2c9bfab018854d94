package benchmarks

import (
	"context"
	"iter"
	"sync"
)

// The pipeline on channels that a careful programmer writes by hand: generic, an
// error travels with its item, and no send outlasts the context.

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

// channelFlow has a goroutine for each function, and channels with a buffer
// between them.
func channelFlow(buffer int, fns ...stageFunc) flow {
	return func(ctx context.Context, in iter.Seq[int], sink func(int)) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		results := channelSource(ctx, in, buffer)
		for _, fn := range fns {
			results = channelStage(ctx, results, buffer, fn)
		}
		return channelSink(ctx, results, sink)
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

// channelOrderedFlow is one stage of n workers that keeps the order with a
// channel of channels: each item has one of its own for its result, and they are
// read in the order of the items, of which 2n are at work or waiting.
func channelOrderedFlow(n int, fn stageFunc) flow {
	type result = channelResult[int]
	type job struct {
		value int
		done  chan result
	}
	return func(ctx context.Context, in iter.Seq[int], sink func(int)) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		jobs := make(chan job, n)
		pending := make(chan chan result, 2*n)
		go func() {
			defer close(pending)
			defer close(jobs)
			for v := range in {
				j := job{v, make(chan result, 1)}
				select {
				case pending <- j.done:
				case <-ctx.Done():
					return
				}
				select {
				case jobs <- j:
				case <-ctx.Done():
					return
				}
			}
		}()
		for range n {
			go func() {
				for j := range jobs {
					v, err := fn(ctx, j.value)
					j.done <- result{v, err}
				}
			}()
		}
		for done := range pending {
			select {
			case r := <-done:
				if r.Err != nil {
					return r.Err
				}
				sink(r.Value)
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return context.Cause(ctx)
	}
}

// channelUnorderedFlow is one stage of n workers that send results as they are
// ready.
func channelUnorderedFlow(n int, fn stageFunc) flow {
	return func(ctx context.Context, in iter.Seq[int], sink func(int)) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		source := channelSource(ctx, in, n)
		results := make(chan channelResult[int], n)
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				for r := range source {
					v, err := fn(ctx, r.Value)
					select {
					case results <- channelResult[int]{v, err}:
					case <-ctx.Done():
						return
					}
				}
			})
		}
		go func() {
			wg.Wait()
			close(results)
		}()
		return channelSink(ctx, results, sink)
	}
}
