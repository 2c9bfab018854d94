package benchmarks

import (
	"testing"

	"github.com/tandemgo/tandem/benchmarks/work"
)

// BenchmarkPoolResults collects the typed results of 1,000 tasks at a time, by index if
// the library has an order; one operation is one task.
func BenchmarkPoolResults(b *testing.B) {
	measureBatches(b, 1000, func(p work.Peer) work.NewBatches { return p.Results })
}

// BenchmarkPoolFutures submits 256 tasks at a time and then waits for the
// future of each; one operation is one task.
func BenchmarkPoolFutures(b *testing.B) {
	measureBatches(b, 256, func(p work.Peer) work.NewBatches { return p.Futures })
}

func measureBatches(b *testing.B, batch int, of func(work.Peer) work.NewBatches) {
	for _, peer := range work.Peers(func(p work.Peer) bool { return of(p) != nil }) {
		b.Run("lib="+peer.Name, func(b *testing.B) {
			measure(b, func(ops int) {
				// The result of a task is never zero, so no missing result is right.
				batches := of(peer)(b, work.Workers, batch, func(task int) int { return task + 1 })
				for left := ops; left > 0; left -= batch {
					n := min(batch, left)
					if got, want := batches.Sum(n), n*(n+1)/2; got != want {
						b.Fatalf("sum of %d results is %d, want %d", n, got, want)
					}
				}
				batches.Close()
			})
		})
	}
}
