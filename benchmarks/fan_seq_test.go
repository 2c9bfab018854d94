package benchmarks

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"testing"

	concpool "github.com/sourcegraph/conc/pool"
	"golang.org/x/sync/errgroup"

	"github.com/tandemgo/tandem/fan"
)

// BenchmarkFanSeq adds one to each item of an iterator on 8 goroutines and reads
// the results, in the order of the items or as they are ready; one operation is
// 20,000 items, ns/item is what counts. conc can only do it in order.
func BenchmarkFanSeq(b *testing.B) {
	for _, lib := range []struct {
		flowLib
		inOrder bool
	}{
		{flowLib{"tandem", fanSeqFlow(plusOne)}, true},
		{flowLib{"conc", concFlow(workers, plusOne)}, true},
		{flowLib{"channels", channelOrderedFlow(workers, plusOne)}, true},
		{flowLib{"tandem", fanSeqFlow(plusOne, fan.Unordered())}, false},
		{flowLib{"channels", channelUnorderedFlow(workers, plusOne)}, false},
	} {
		b.Run(fmt.Sprintf("lib=%s/ordered=%t", lib.name, lib.inOrder), func(b *testing.B) {
			benchFlow(b, lib.run, 1, lib.inOrder)
		})
	}
}

func fanSeqFlow(fn stageFunc, opts ...fan.Option) flow {
	return func(ctx context.Context, in iter.Seq[int], sink func(int)) error {
		for v, err := range fan.Seq(ctx, workers, in, fn, opts...) {
			if err != nil {
				return err
			}
			sink(v)
		}
		return nil
	}
}

// A walker is one way to call a function for each item of an iterator, on up to
// 8 goroutines. The first error ends the contexts of the other calls and is what
// it returns.
type walker func(ctx context.Context, in iter.Seq[int], fn func(context.Context, int) error) error

// BenchmarkFanForEach calls a function that adds to a sum for each item of an
// iterator, on 8 goroutines; one operation is 20,000 items, ns/item is what
// counts.
func BenchmarkFanForEach(b *testing.B) {
	for _, lib := range []struct {
		name string
		run  walker
	}{{"tandem", tandemForEach}, {"conc", concForEach}, {"errgroup", errgroupForEach}, {"channels", channelForEach}} {
		b.Run("lib="+lib.name, func(b *testing.B) {
			b.ReportAllocs()
			const want = items * (items + 1) / 2
			for b.Loop() {
				var sum runCount
				must(b, lib.run(b.Context(), count(items), func(_ context.Context, v int) error {
					sum.Add(int64(result(v)))
					return nil
				}))
				if got := sum.Load(); got != want {
					b.Fatalf("sum %d, want %d", got, want)
				}
			}
			reportPerItem(b)
		})
	}
}

func tandemForEach(ctx context.Context, in iter.Seq[int], fn func(context.Context, int) error) error {
	return fan.ForEach(ctx, workers, in, fn)
}

func concForEach(ctx context.Context, in iter.Seq[int], fn func(context.Context, int) error) error {
	p := concpool.New().WithMaxGoroutines(workers).WithContext(ctx).WithCancelOnError().WithFirstError()
	for v := range in {
		p.Go(func(ctx context.Context) error { return fn(ctx, v) })
	}
	return p.Wait()
}

func errgroupForEach(ctx context.Context, in iter.Seq[int], fn func(context.Context, int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for v := range in {
		g.Go(func() error { return fn(ctx, v) })
	}
	return g.Wait()
}

func channelForEach(ctx context.Context, in iter.Seq[int], fn func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	jobs := make(chan int, queue)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for v := range jobs {
				if err := fn(ctx, v); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	func() {
		defer close(jobs)
		for v := range in {
			select {
			case jobs <- v:
			case <-ctx.Done():
				return
			}
		}
	}()
	wg.Wait()
	return context.Cause(ctx)
}
