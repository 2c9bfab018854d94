package benchmarks

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandemgo/tandem/benchmarks/work"
)

// BenchmarkPoolSlow measures how long tasks of 1 µs wait for a worker where one
// in 1,000 sleeps for 10 ms: the median, the 99th percentile and the maximum of
// the time from coming to starting. Seldom more than one worker sleeps, so a task
// that waits for long waits behind a slow one though other workers are idle.
//
// Tasks come 64 at once each millisecond by the clock, the same for all
// libraries and far less than two processors can do. The next ones come whether
// or not the last have ended, or a library that stalls would be asked for less
// just then. All tasks of a burst carry the time when it came:
// where submitting waits for a worker, the ones after it wait as well, as they
// would in a queue. The rate is given, so there is no time per operation.
//
// In lib=channels-unbuffered each task goes to a worker that is free for it, so
// none can wait behind a slow one.
func BenchmarkPoolSlow(b *testing.B) {
	const (
		slowEvery = 1000 // one task of so many is slow
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
