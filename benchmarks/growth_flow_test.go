package benchmarks_test

import (
	"context"
	"testing"

	"github.com/tandemgo/tandem/benchmarks/work"
	"github.com/tandemgo/tandem/fan"
	"github.com/tandemgo/tandem/pipeline"
)

// growPipeline sends n items through three stages.
func growPipeline(b *testing.B, n, rounds int) func(held func()) {
	stage := pipeline.Map(stepOf(rounds))
	return growStage(b, n, 3, pipeline.Then(stage, pipeline.Then(stage, stage)))
}

// growPipelineOrdered sends n items through a stage of 8 workers that keeps their
// order.
func growPipelineOrdered(b *testing.B, n, rounds int) func(held func()) {
	return growStage(b, n, 1, pipeline.Map(stepOf(rounds), pipeline.WithWorkers(work.Workers)))
}

// growStage runs s, which adds a number to each item and keeps the order. held is
// called half way.
func growStage(b *testing.B, n, adds int, s pipeline.Stage[int, int]) func(held func()) {
	return func(held func()) {
		next := adds
		for v, err := range s.Run(context.Background(), pipeline.Seq(work.Count(n))) {
			if err != nil || v != next {
				b.Fatalf("got %d, error %v; want %d", v, err, next)
			}
			if next++; v == n/2 {
				held()
			}
		}
		if next != adds+n {
			b.Fatalf("%d items, want %d", next-adds, n)
		}
	}
}

// growFanMap maps a slice of n elements.
func growFanMap(b *testing.B, n, rounds int) func(held func()) {
	step := stepOf(rounds)
	in := make([]int, n)
	for i := range in {
		in[i] = i
	}
	return func(held func()) {
		out, err := fan.Map(context.Background(), work.Workers, in, step)
		work.Must(b, err)
		held()
		sum := 0
		for _, v := range out {
			sum += v
		}
		checkSum(b, sum, n)
	}
}
