package benchmarks

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandemgo/tandem/benchmarks/work"
)

// BenchmarkPoolSlow measures how long tasks of 1 µs wait for a worker if one in 1,000
// sleeps for 10 ms: the median, the 99th percentile and the maximum of the time from
// arrival to start. Usually at most one worker sleeps, so a task with a long wait waits
// behind a slow one though other workers are idle.
//
// 64 tasks arrive at once each millisecond of the clock, the same for all libraries and
// far less than two processors can do. They arrive independently of the end of earlier
// ones: otherwise a library that stalls would get less load just then. All tasks of a
// burst have the time of its arrival: if submission waits for a worker, the tasks after
// it wait as well, as in a queue. The rate is fixed, so there is no time per operation.
//
// In lib=channels-unbuffered each task goes to a free worker, so none waits behind a
// slow one.
func BenchmarkPoolSlow(b *testing.B) {
	const (
		slowEvery = 1000 // one in slowEvery tasks is slow
		slowTime  = 10 * time.Millisecond
		burst     = 64 // tasks that come at once
		period    = time.Millisecond
	)
	rounds := work.SpinRounds(time.Microsecond)
	for _, peer := range work.Peers(hasTasks) {
		b.Run("lib="+peer.Name, func(b *testing.B) {
			measure(b, func(ops int) {
				base := time.Now()
				waits := make([]time.Duration, ops)
				var started atomic.Int64
				var ran runCount
				tasks := peer.Tasks(b, work.Workers, room, func(came int) {
					wait := time.Since(base) - time.Duration(came)
					n := started.Add(1)
					waits[n-1] = wait
					if n%slowEvery == slowEvery/2 {
						time.Sleep(slowTime)
						ran.Add(1)
					} else if work.Spin(came, rounds) {
						ran.Add(1)
					}
				})
				due := time.Since(base)
				for left := ops; left > 0; left -= burst {
					time.Sleep(due - time.Since(base))
					due += period
					came := int(time.Since(base))
					for range min(burst, left) {
						tasks.Submit(came)
					}
				}
				tasks.Wait()
				ran.check(b, ops)
				slices.Sort(waits)
				if !*countParks {
					b.ReportMetric(float64(waits[ops/2]), "p50-wait-ns")
					b.ReportMetric(float64(waits[ops*99/100]), "p99-wait-ns")
					b.ReportMetric(float64(waits[ops-1]), "max-wait-ns")
				}
			})
			b.ReportMetric(0, "ns/op")
		})
	}
}
