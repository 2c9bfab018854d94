package benchmarks

import (
	"testing"
	"time"

	"github.com/tandemgo/tandem/benchmarks/work"
)

// BenchmarkPipelineParallel sends 200 items through two stages, each of which takes 200
// µs of processor time for an item. If they run in parallel on idle processors, both
// take little longer than one.
//
// x-of-one is the ratio of the time of the pipeline to that of the work of one stage in
// a plain loop. The loop runs before each operation and is not in its time, so a slower
// clock slows down both. 1 is the ideal; 2 is the time of a program without a pipeline,
// or with a single processor because other programs use the rest.
func BenchmarkPipelineParallel(b *testing.B) {
	const n, stages = 200, 2
	slow := work.PlusOneAfter(work.SpinRounds(200 * time.Microsecond))
	for _, peer := range work.Peers(hasStages) {
		b.Run("lib="+peer.Name, func(b *testing.B) {
			if *countParks {
				b.Skip("it is a comparison of times")
			}
			run := peer.Stages(slow, slow)
			var one time.Duration
			for b.Loop() {
				b.StopTimer()
				one += timeLoop(b, work.Count(n), slow)
				b.StartTimer()
				var t checksum
				err := run(b.Context(), work.Count(n), t.add)
				t.check(b, err, n, stages, true)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/op")
			b.ReportMetric(float64(b.Elapsed())/float64(one), "x-of-one")
			b.ReportMetric(0, "ns/op")
		})
	}
}
