package peers

import (
	"context"
	"iter"
	"sync"

	"github.com/tandemgo/tandem/benchmarks/work"
)

// channelOrdered is one stage of n workers that keeps the order with a channel of
// channels: each item has its own channel for its result, and the results are read in
// the order of the items. At most 2n items are in work or waiting.
func channelOrdered(n int, fn work.Step) work.Flow {
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

// channelUnordered is one stage of n workers that send results when they are ready.
func channelUnordered(n int, fn work.Step) work.Flow {
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
