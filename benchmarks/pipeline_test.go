package benchmarks

import (
	"context"
	"testing"

	"github.com/sourcegraph/conc/stream"

	"github.com/tandemgo/tandem/pipeline"
)

const items = 20_000

func count(n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

func plusOne(_ context.Context, n int) (int, error) { return n + 1, nil }

// BenchmarkPipeline sends items through three stages that add one; one
// operation is 20,000 items, ns/item is what counts.
func BenchmarkPipeline(b *testing.B) {
	const want = items * (items - 1) / 2
	run := func(lib string, sum func(ctx context.Context) int) {
		b.Run("lib="+lib, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := sum(b.Context()); got != want+3*items {
					b.Fatalf("sum %d, want %d", got, want+3*items)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/items, "ns/item")
		})
	}
	s := pipeline.Then(pipeline.Map(plusOne), pipeline.Then(pipeline.Map(plusOne), pipeline.Map(plusOne)))
	run("tandem", func(ctx context.Context) (sum int) {
		for v, err := range s.Run(ctx, count(items)) {
			if err != nil {
				return -1
			}
			sum += v
		}
		return sum
	})
	// conc has no pipeline; a stream of tasks that do all three steps stands in,
	// ordered as ours is.
	run("conc", func(context.Context) (sum int) {
		st := stream.New().WithMaxGoroutines(3)
		for i := range items {
			st.Go(func() stream.Callback {
				v := i + 1 + 1 + 1
				return func() { sum += v }
			})
		}
		st.Wait()
		return sum
	})
	run("channels", func(ctx context.Context) (sum int) {
		stage := func(in <-chan int) <-chan int {
			out := make(chan int, 1024)
			go func() {
				defer close(out)
				for v := range in {
					select {
					case out <- v + 1:
					case <-ctx.Done():
						return
					}
				}
			}()
			return out
		}
		in := make(chan int, 1024)
		go func() {
			defer close(in)
			for i := range items {
				in <- i
			}
		}()
		for v := range stage(stage(stage(in))) {
			sum += v
		}
		return sum
	})
	run("classic", func(ctx context.Context) (sum int) {
		inc := func(v any) any { return v.(int) + 1 }
		out := classicStage(ctx, classicStage(ctx, classicStage(ctx, classicSource(ctx, items), inc), inc), inc)
		for v := range out {
			sum += v.(int)
		}
		return sum
	})
}
