package benchmarks

import (
	"runtime"
	"testing"
)

// BenchmarkPoolWaiting measures the memory of 1,000,000 tasks that have been
// accepted and wait while all workers are busy, and what is left of it when they
// have run and the pool stays: how much the heap has grown, per task. That is
// the same however often it is done, so it is done once, and there is no time
// per operation. Where no tasks can wait, or none without a goroutine each,
// there is nothing to compare.
func BenchmarkPoolWaiting(b *testing.B) {
	const waiting = 1_000_000
	for _, lib := range []runnerLib{
		{"tandem", tandemRunner}, {"pond", pondRunner}, {"workerpool", workerpoolRunner}, {"channels", channelRunner},
	} {
		b.Run("lib="+lib.name, func(b *testing.B) {
			busy, free, all := make(chan struct{}), make(chan struct{}), make(chan struct{})
			var ran runCount
			before := heap()
			r := lib.new(b, waiting, func(task int) {
				if task < workers {
					busy <- struct{}{}
					<-free
				}
				if ran.Add(1) == workers+waiting {
					close(all)
				}
			})
			for task := range workers {
				r.submit(task)
				<-busy
			}
			for i := range waiting {
				r.submit(workers + i)
			}
			if b.Failed() {
				b.FailNow() // not all were accepted, so all will never have run
			}
			queued := heap()
			close(free)
			<-all
			after := heap()
			r.wait()
			if got := ran.Load(); got != workers+waiting {
				b.Fatalf("%d tasks ran, want %d", got, workers+waiting)
			}
			for b.Loop() { // or testing asks for more
			}
			b.ReportMetric((queued-before)/waiting, "waiting-bytes/task")
			b.ReportMetric((after-before)/waiting, "after-bytes/task")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// heap returns the size of the live heap. The second collection is for what a
// sync.Pool keeps over one, and for the workers to come to rest.
func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
