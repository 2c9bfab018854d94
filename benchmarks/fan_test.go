package benchmarks

import (
	"fmt"
	"iter"
	"testing"
	"time"
)

// BenchmarkFanMap adds one to each of n numbers on up to 8 goroutines, and in a
// plain loop, which is what there would be without a library. Where a library
// costs so much for an element that more of them say nothing new, they end early.
func BenchmarkFanMap(b *testing.B) {
	const all = 1_000_000
	libs := []struct {
		name     string
		run      mapper
		min, max int // elements
	}{
		{"tandem", tandemMap, 1, all},
		{"loop", loopMap, 1, all},
		{"conc", concMap, 1, all},
		{"lo", loMap, 1, 10_000},
		{"errgroup", errgroupMap, 1, 10_000},
		{"channels", channelMap, 1000, 1000},
		{"classic", classicMap, 1000, 1000},
	}
	for _, n := range []int{1, 2, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 100_000, all} {
		in := make([]int, n)
		for i := range in {
			in[i] = i
		}
		for _, lib := range libs {
			if n < lib.min || n > lib.max {
				continue
			}
			b.Run(fmt.Sprintf("lib=%s/n=%d", lib.name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					out, err := lib.run(b.Context(), in, plusOne)
					checkMapped(b, in, out, err)
				}
			})
		}
	}
}

// checkMapped fails b unless each element of out is one more than that of in. A
// result that is missing is 0, and is never right.
func checkMapped(b *testing.B, in, out []int, err error) {
	if err != nil || len(out) != len(in) {
		b.Fatalf("%d results, error %v; want %d results", len(out), err, len(in))
	}
	for i, v := range out {
		if v != in[i]+1 {
			b.Fatalf("result %d is %d, want %d", i, v, in[i]+1)
		}
	}
}

// timeLoop returns how long fn takes for all items of in, one after the other.
func timeLoop(b *testing.B, in iter.Seq[int], fn stageFunc) time.Duration {
	b.Helper()
	start := time.Now()
	for v := range in {
		if _, err := fn(b.Context(), v); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start)
}
