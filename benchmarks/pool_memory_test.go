package benchmarks

import (
	"testing"

	"github.com/tandemgo/tandem/benchmarks/work"
	"github.com/tandemgo/tandem/internal/testkit"
)

// BenchmarkPoolWaiting measures the memory of 1,000,000 accepted tasks that wait while
// all workers are busy, and the rest of it after they have run while the pool still
// exists: the growth of the heap per task. It does not depend on the number of
// operations, so there is one, and no time per operation. Libraries in which no task
// can wait, or only with a goroutine each, are left out.
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
				b.FailNow() // not all were accepted, so they would never all run
			}
			queued := float64(testkit.Heap())
			close(free)
			<-all
			after := float64(testkit.Heap())
			tasks.Wait()
			ran.check(b, work.Workers+waiting)
			for b.Loop() { // otherwise package testing would repeat the benchmark
			}
			b.ReportMetric((queued-before)/waiting, "waiting-bytes/task")
			b.ReportMetric((after-before)/waiting, "after-bytes/task")
			b.ReportMetric(0, "ns/op")
		})
	}
}
