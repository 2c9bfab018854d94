package pipeline_test

import (
	"testing"

	"github.com/tandemgo/tandem/pipeline"
)

const items = 10_000

func benchmark(b *testing.B, s pipeline.Stage[int, int]) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, err := range s.Run(b.Context(), count(items)) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != items {
			b.Fatalf("%d results", n)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/items, "ns/item")
}

func BenchmarkThreeStages(b *testing.B) {
	benchmark(b, pipeline.Then(pipeline.Then(add(1), add(1)), add(1)))
}

func BenchmarkOrdered(b *testing.B) { benchmark(b, add(1, pipeline.WithWorkers(8))) }

func BenchmarkUnordered(b *testing.B) {
	benchmark(b, add(1, pipeline.WithWorkers(8), pipeline.Unordered()))
}
