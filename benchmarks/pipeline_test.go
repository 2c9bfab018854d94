package benchmarks

import (
	"testing"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func hasStages(p work.Peer) bool { return p.Stages != nil }

// BenchmarkPipeline sends items through three stages that add one; one operation
// is one item.
func BenchmarkPipeline(b *testing.B) {
	for _, peer := range work.Peers(hasStages) {
		b.Run("lib="+peer.Name, func(b *testing.B) {
			measureFlow(b, peer.Stages(work.PlusOne, work.PlusOne, work.PlusOne), 3, true)
		})
	}
}

// BenchmarkPipelineLatency sends one item at a time through five idle stages. One
// operation is the way of one item through all of them, and the way back of a signal:
// the source yields the next item when the sink has signalled the last one, over the
// same channel for all libraries.
func BenchmarkPipelineLatency(b *testing.B) {
	for _, peer := range work.Peers(hasStages) {
		b.Run("lib="+peer.Name, func(b *testing.B) {
			run := peer.Stages(work.PlusOne, work.PlusOne, work.PlusOne, work.PlusOne, work.PlusOne)
			measure(b, func(ops int) {
				got := make(chan struct{}, 1) // the sink does not wait for the source
				source := func(yield func(int) bool) {
					for i := range ops {
						if !yield(i) {
							return
						}
						<-got
					}
				}
				var t checksum
				err := run(b.Context(), source, func(v int) {
					t.add(v)
					got <- struct{}{}
				})
				t.check(b, err, ops, 5, true)
			})
		})
	}
}

// measureFlow runs a flow of stages that add one; one operation is one item.
func measureFlow(b *testing.B, run work.Flow, stages int, inOrder bool) {
	b.Helper()
	measure(b, func(ops int) {
		var t checksum
		err := run(b.Context(), work.Count(ops), t.add)
		t.check(b, err, ops, stages, inOrder)
	})
}

// A checksum counts the items that come out of a flow, and has their sum, and whether each
// was larger than the previous one.
type checksum struct {
	n, sum, last int
	disorder     bool
}

func (t *checksum) add(v int) {
	if v <= t.last {
		t.disorder = true
	}
	t.last = v
	t.sum += v
	t.n++
}

// check fails b unless the checksum is that of 0 to n-1 after each stage has added one.
func (t *checksum) check(b *testing.B, err error, n, stages int, inOrder bool) {
	b.Helper()
	want := n*(n-1)/2 + stages*n
	if err != nil || t.n != n || t.sum != want || inOrder && t.disorder {
		b.Fatalf("%d items, sum %d, disorder %t, error %v; want %d items, sum %d",
			t.n, t.sum, t.disorder, err, n, want)
	}
}
