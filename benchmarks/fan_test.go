package benchmarks

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func hasMap(p work.Peer) bool { return p.Map != nil }

// BenchmarkFanMap adds one to each of n numbers on up to 8 goroutines, and in a plain
// loop without a library; one operation is the whole slice. Libraries with a high cost
// for an element stop at smaller n.
func BenchmarkFanMap(b *testing.B) {
	for _, n := range []int{1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 100_000, 1_000_000} {
		in := make([]int, n)
		for i := range in {
			in[i] = i
		}
		for _, peer := range work.Peers(hasMap) {
			if n > 10_000 && peer.Name != "tandem" && peer.Name != "conc" && peer.Name != "loop" {
				continue
			}
			b.Run(fmt.Sprintf("n=%d/lib=%s", n, peer.Name), func(b *testing.B) {
				measureN(b, 10, func(ops int) {
					for range ops {
						out, err := peer.Map(b.Context(), work.Workers, in, work.PlusOne)
						checkMapped(b, in, out, err)
					}
				})
			})
		}
	}
}

// BenchmarkFanForEach calls a function that adds to a sum for each item of an
// iterator, on 8 goroutines; one operation is one item.
func BenchmarkFanForEach(b *testing.B) {
	for _, peer := range work.Peers(func(p work.Peer) bool { return p.ForEach != nil }) {
		b.Run("lib="+peer.Name, func(b *testing.B) {
			measure(b, func(ops int) {
				var sum runCount
				work.Must(b, peer.ForEach(b.Context(), work.Workers, work.Count(ops), func(_ context.Context, v int) error {
					sum.Add(int64(v + 1))
					return nil
				}))
				sum.check(b, ops*(ops+1)/2)
			})
		})
	}
}

// checkMapped fails b unless each element of out is one more than that of in. A missing
// result is 0, which is never right.
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

// timeLoop returns the time of fn for all items of in, one after the other.
func timeLoop(b *testing.B, in iter.Seq[int], fn work.Step) time.Duration {
	b.Helper()
	start := time.Now()
	for v := range in {
		if _, err := fn(b.Context(), v); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start)
}
