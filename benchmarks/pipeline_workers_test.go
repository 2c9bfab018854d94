package benchmarks

import (
	"testing"
	"time"

	"github.com/tandemgo/tandem/benchmarks/work"
)

// BenchmarkPipelineOrdered sends items through one stage of 8 workers that adds
// one, at once or after 1 µs of a processor's time, and reads the results in the
// order of the items; one operation is one item.
func BenchmarkPipelineOrdered(b *testing.B) {
	measureWorkers(b, true, func(p work.Peer) work.NewWorkers { return p.Ordered })
}

// BenchmarkPipelineUnordered is BenchmarkPipelineOrdered with results in the order in
// which they are ready.
func BenchmarkPipelineUnordered(b *testing.B) {
	measureWorkers(b, false, func(p work.Peer) work.NewWorkers { return p.Unordered })
}

func measureWorkers(b *testing.B, inOrder bool, of func(work.Peer) work.NewWorkers) {
	for _, w := range []struct {
		name string
		step work.Step
	}{
		{"0us", work.PlusOne},
		{"1us", work.PlusOneAfter(work.SpinRounds(time.Microsecond))},
	} {
		for _, peer := range work.Peers(func(p work.Peer) bool { return of(p) != nil }) {
			b.Run("work="+w.name+"/lib="+peer.Name, func(b *testing.B) {
				measureFlow(b, of(peer)(work.Workers, w.step), 1, inOrder)
			})
		}
	}
}
