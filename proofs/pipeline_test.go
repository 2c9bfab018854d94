package proofs_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tandemgo/tandem/pipeline"
)

// A step is a stage, and what a loop over a slice would be.
type step struct {
	stage pipeline.Stage[int, int]
	loop  func([]int) []int
}

// drawStep draws a step that keeps the order.
func drawStep(r *rapid.T) step {
	n := rapid.IntRange(1, 9).Draw(r, "n")
	workers := pipeline.WithWorkers(rapid.IntRange(1, 5).Draw(r, "workers"))
	pace := time.Duration(rapid.IntRange(0, 3).Draw(r, "pace")) * time.Millisecond
	work := func(v int) { time.Sleep(pace * time.Duration(v&3)) }
	switch rapid.SampledFrom([]string{"map", "filter", "flatmap", "take", "batch", "buffer", "zip"}).Draw(r, "stage") {
	case "map":
		return step{
			pipeline.Map(func(_ context.Context, v int) (int, error) { work(v); return n * v, nil }, workers),
			func(in []int) (out []int) {
				for _, v := range in {
					out = append(out, n*v)
				}
				return out
			},
		}
	case "filter":
		return step{
			pipeline.Filter(func(_ context.Context, v int) (bool, error) { work(v); return v%(n+1) != 0, nil }, workers),
			func(in []int) []int {
				return slices.DeleteFunc(slices.Clone(in), func(v int) bool { return v%(n+1) == 0 })
			},
		}
	case "flatmap":
		return step{
			pipeline.FlatMap(func(_ context.Context, v int, emit func(int) error) error {
				work(v)
				for i := range v % n {
					if err := emit(v + i); err != nil {
						return err
					}
				}
				return nil
			}, workers),
			func(in []int) (out []int) {
				for _, v := range in {
					for i := range v % n {
						out = append(out, v+i)
					}
				}
				return out
			},
		}
	case "take":
		return step{pipeline.Take[int](5 * n), func(in []int) []int { return in[:min(5*n, len(in))] }}
	case "batch":
		sum := pipeline.Map(func(_ context.Context, vs []int) ([]int, error) { return slices.Clone(vs), nil }, workers)
		return step{
			pipeline.Then(pipeline.Then(pipeline.Batch[int](n, pace), sum), pipeline.Unbatch[int]()),
			func(in []int) []int { return in },
		}
	case "buffer":
		return step{pipeline.Buffer[int](n), func(in []int) []int { return in }}
	}
	same := pipeline.Map(func(_ context.Context, v int) (int, error) { work(v); return v, nil }, workers)
	return step{
		pipeline.Zip(same, pipeline.Tap(work), func(a, b int) int { return a*n + b }),
		func(in []int) (out []int) {
			for _, v := range in {
				out = append(out, v*n+v)
			}
			return out
		},
	}
}

// L4, L5: a chain gives what the loops give, and the beginning of it to one who
// leaves.
func TestPipelineIsALoop(t *testing.T) {
	inBubbles(t, func(r *rapid.T) {
		items := rapid.SliceOfN(rapid.IntRange(0, 1000), 0, 60).Draw(r, "items")
		chain := pipeline.Tap(func(int) {})
		want := items
		for range rapid.IntRange(1, 6).Draw(r, "stages") {
			s := drawStep(r)
			chain, want = pipeline.Then(chain, s.stage), s.loop(want)
		}
		got, err := chain.Collect(r.Context(), pipeline.Values(items...))
		if err != nil || !slices.Equal(got, want) {
			r.Fatalf("%v gave %v, %v; want %v", chain, got, err, want)
		}
		leave := rapid.IntRange(1, 70).Draw(r, "leave")
		got = nil
		for v, err := range chain.Run(r.Context(), pipeline.Values(items...)) {
			if err != nil {
				r.Fatal(err)
			}
			if got = append(got, v); len(got) == leave {
				break
			}
		}
		if want = want[:min(leave, len(want))]; !slices.Equal(got, want) {
			r.Fatalf("%v gave %v, want %v", chain, got, want)
		}
	})
}
