package benchmarks

import (
	"testing"

	"github.com/tandemgo/tandem/benchmarks/work"
	"github.com/tandemgo/tandem/internal/testkit"
)

// BenchmarkPoolWaiting measures the memory of 1,000,000 tasks that have been
// accepted and wait while all workers are busy, and what is left of it when they
// have run and the pool stays: how much the heap has grown, per task. That is
// the same however often it is done, so it is done once, and there is no time
// per operation. Where no tasks can wait, or none without a goroutine each,
// there is nothing to compare.
func BenchmarkPoolWaiting(b *testing.B) {
	const waiting = 1_000_000
	for _, peer := range work.Peers(func(p work.Peer) bool { return p.Waiting }) {
		b.Run("lib="+peer.Name, func(b *testing.B) {
			busy, free, all := make(chan struct{}), make(chan struct{}), make(chan struct{})
			var ran runCount
			before := float64(testkit.Heap())
			tasks := peer.Tasks(b, work.Workers, waiting, func(task int) {
				if task < work.Workers {
					busy <- struct{}{}
					<-free
				}
				if ran.Add(1) == work.Workers+waiting {
					close(all)
				}
			})
			for task := range work.Workers {
				tasks.Submit(task)
				<-busy
			}
			for i := range waiting {
				tasks.Submit(work.Workers + i)
			}
			if b.Failed() {
				b.FailNow() // not all were accepted, so all will never have run
			}
			queued := float64(testkit.Heap())
			close(free)
			<-all
			after := float64(testkit.Heap())
			tasks.Wait()
			ran.check(b, work.Workers+waiting)
			for b.Loop() { // or testing asks for more
			}
			b.ReportMetric((queued-before)/waiting, "waiting-bytes/task")
			b.ReportMetric((after-before)/waiting, "after-bytes/task")
			b.ReportMetric(0, "ns/op")
		})
	}
}
