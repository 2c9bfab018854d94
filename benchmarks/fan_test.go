package benchmarks

import (
	"context"
	"sync"
	"testing"

	"github.com/sourcegraph/conc/iter"

	"github.com/tandemgo/tandem/fan"
)

// BenchmarkFanMap squares 1,000 numbers on up to 8 goroutines.
func BenchmarkFanMap(b *testing.B) {
	in := make([]int, 1000)
	for i := range in {
		in[i] = i
	}
	const want = 999 * 1000 * 1999 / 6
	run := func(lib string, squares func(ctx context.Context) int) {
		b.Run("lib="+lib, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := squares(b.Context()); got != want {
					b.Fatalf("sum %d, want %d", got, want)
				}
			}
		})
	}
	total := func(vs []int) (sum int) {
		for _, v := range vs {
			sum += v
		}
		return sum
	}
	run("tandem", func(ctx context.Context) int {
		out, err := fan.Map(ctx, workers, in, func(_ context.Context, n int) (int, error) { return n * n, nil })
		if err != nil {
			return -1
		}
		return total(out)
	})
	run("conc", func(context.Context) int {
		return total(iter.Mapper[int, int]{MaxGoroutines: workers}.Map(in, func(n *int) int { return *n * *n }))
	})
	run("channels", func(context.Context) int {
		type square struct{ i, v int }
		jobs, results := make(chan int, 1024), make(chan square, 1024)
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for i := range jobs {
					results <- square{i, in[i] * in[i]}
				}
			})
		}
		for i := range in {
			jobs <- i
		}
		close(jobs)
		out := make([]int, len(in))
		for range in {
			s := <-results
			out[s.i] = s.v
		}
		wg.Wait()
		return total(out)
	})
	run("classic", func(ctx context.Context) (sum int) {
		src := classicSource(ctx, len(in))
		outs := make([]<-chan any, workers)
		for i := range outs {
			outs[i] = classicStage(ctx, src, func(v any) any { return v.(int) * v.(int) })
		}
		for v := range classicFanIn(ctx, outs...) {
			sum += v.(int)
		}
		return sum
	})
	run("loop", func(context.Context) int {
		out := make([]int, len(in))
		for i, n := range in {
			out[i] = n * n
		}
		return total(out)
	})
}
