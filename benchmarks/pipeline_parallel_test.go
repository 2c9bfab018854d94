package benchmarks

import (
	"testing"
	"time"

	"github.com/tandemgo/tandem/pipeline"
)

// BenchmarkPipelineParallel sends 200 items through two stages each of which
// takes 200 µs of a processor's time for an item. Where they run in parallel, on
// processors that have nothing else to do, both take little longer than one.
//
// x-of-one is the time of the pipeline by that of the work of one stage alone, in
// a plain loop, which runs before each operation and is not in its time, so a
// slower clock slows down both. 1 is the ideal, 2 is the time of a program
// without a pipeline, or of one that has a single processor because other
// programs keep the rest busy.
func BenchmarkPipelineParallel(b *testing.B) {
	const n, stages = 200, 2
	work := plusOneAfter(spinRounds(200 * time.Microsecond))
	stage := pipeline.Map(work)
	for _, lib := range []flowLib{
		{"tandem", tandemFlow(pipeline.Then(stage, stage))},
		{"tandem-fused", tandemFlow(pipeline.Fuse(stage, stage))},
		{"channels=1024", channelFlow(1024, work, work)},
		{"channels=0", channelFlow(0, work, work)},
		{"conc", concFlow(stages, work, work)},
		{"ro", roFlow(work, work)},
		{"ro-observe-on", roObserveOnFlow(1024, work, work)},
	} {
		b.Run("lib="+lib.name, func(b *testing.B) {
			var one time.Duration
			for b.Loop() {
				b.StopTimer()
				one += timeLoop(b, count(n), work)
				b.StartTimer()
				var t tally
				err := lib.run(b.Context(), count(n), t.add)
				t.check(b, err, n, stages, true)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/op")
			b.ReportMetric(float64(b.Elapsed())/float64(one), "x-of-one")
			b.ReportMetric(0, "ns/op")
		})
	}
}
