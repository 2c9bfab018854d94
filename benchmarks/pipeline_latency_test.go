package benchmarks

import (
	"testing"

	"github.com/tandemgo/tandem/pipeline"
)

// BenchmarkPipelineLatency sends one item at a time through five stages that
// have nothing else to do; one operation is the way of one item through all of
// them, and the way back of a signal: the source yields the next item when it
// has received that the sink has got the last one, over the same channel for all
// libraries.
func BenchmarkPipelineLatency(b *testing.B) {
	const stages = 5
	inc := pipeline.Map(plusOne)
	chain := pipeline.Then(inc, pipeline.Then(inc, pipeline.Then(inc, pipeline.Then(inc, inc))))
	fns := []stageFunc{plusOne, plusOne, plusOne, plusOne, plusOne}
	for _, lib := range []flowLib{
		{"tandem", tandemFlow(chain)},
		{"channels=1024", channelFlow(1024, fns...)},
		{"channels=0", channelFlow(0, fns...)},
	} {
		b.Run("lib="+lib.name, func(b *testing.B) {
			b.ReportAllocs()
			got := make(chan struct{}, 1) // the sink does not wait for the source
			source := func(yield func(int) bool) {
				for i := range b.N {
					if !yield(i) {
						return
					}
					<-got
				}
			}
			var t tally
			err := lib.run(b.Context(), source, func(v int) {
				t.add(v)
				got <- struct{}{}
			})
			t.check(b, err, b.N, stages, true)
		})
	}
}
