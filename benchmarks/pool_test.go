package benchmarks

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandemgo/tandem/benchmarks/work"
)

const (
	room       = 1024 // waiting tasks, if the library has a limit
	submitters = 64
)

func hasTasks(p work.Peer) bool { return p.Tasks != nil }

// BenchmarkPool runs empty tasks, submitted by one goroutine to 8 workers; one
// operation is one task.
func BenchmarkPool(b *testing.B) {
	for _, peer := range work.Peers(hasTasks) {
		b.Run("lib="+peer.Name, func(b *testing.B) {
			measureTasks(b, peer, func(ran *runCount, _ int) { ran.Add(1) })
		})
	}
}

// BenchmarkPoolSubmitters is BenchmarkPool with 64 goroutines that submit.
func BenchmarkPoolSubmitters(b *testing.B) {
	for _, peer := range work.Peers(hasTasks) {
		b.Run("lib="+peer.Name, func(b *testing.B) {
			measure(b, func(ops int) {
				var ran runCount
				tasks := peer.Tasks(b, work.Workers, room, func(int) { ran.Add(1) })
				var wg sync.WaitGroup
				for first := range submitters {
					wg.Go(func() {
						for i := first; i < ops; i += submitters {
							tasks.Submit(i)
						}
					})
				}
				wg.Wait()
				tasks.Wait()
				ran.check(b, ops)
			})
		})
	}
}

// BenchmarkPoolWork is BenchmarkPool with tasks that take some processor time.
func BenchmarkPoolWork(b *testing.B) {
	for _, cost := range []time.Duration{time.Microsecond, 50 * time.Microsecond} {
		rounds := work.SpinRounds(cost)
		for _, peer := range work.Peers(hasTasks) {
			b.Run(fmt.Sprintf("work=%dus/lib=%s", cost.Microseconds(), peer.Name), func(b *testing.B) {
				measureTasks(b, peer, func(ran *runCount, task int) {
					if work.Spin(task, rounds) {
						ran.Add(1)
					}
				})
			})
		}
	}
}

// measureTasks submits tasks and waits for them within the timed part: some of the
// queues are unbounded, and tasks that are still queued are not done.
func measureTasks(b *testing.B, peer work.Peer, run func(ran *runCount, task int)) {
	b.Helper()
	measure(b, func(ops int) {
		var ran runCount
		tasks := peer.Tasks(b, work.Workers, room, func(task int) { run(&ran, task) })
		for i := range ops {
			tasks.Submit(i)
		}
		tasks.Wait()
		ran.check(b, ops)
	})
}

// A runCount counts the tasks that ran. It fills a cache line, so that it shares none
// with other data.
type runCount struct {
	atomic.Int64
	_ [56]byte
}

func (c *runCount) check(b *testing.B, want int) {
	b.Helper()
	if ran := c.Load(); ran != int64(want) {
		b.Fatalf("%d tasks ran, want %d", ran, want)
	}
}
