package benchmarks

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tandemgo/tandem/benchmarks/work"
)

const busRoom = 1024

var readerCounts = []int{1, 10, 100, 1000}

// A received counts the values of a subscriber, on its own cache line.
type received struct {
	n int
	_ [56]byte
}

func checkReceived(b *testing.B, got []received, sent int) {
	for i := range got {
		if got[i].n != sent {
			b.Fatalf("subscriber %d got %d of %d", i, got[i].n, sent)
		}
	}
}

// tracedValues is the number of values sent to n subscribers under a trace: enough to
// fill all buffers.
func tracedValues(n int) int { return max(tracedOps/n, 4*busRoom) }

// BenchmarkBroadcast sends values to n subscribers, each of which receives every value;
// one operation is one value, delivered n times.
func BenchmarkBroadcast(b *testing.B) {
	for _, n := range readerCounts {
		for _, p := range work.Peers(func(p work.Peer) bool { return p.Bus != nil }) {
			b.Run(fmt.Sprintf("n=%d/lib=%s", n, p.Name), func(b *testing.B) {
				var wg sync.WaitGroup
				got := make([]received, n)
				bus := p.Bus(b, busRoom)
				for i := range got {
					bus.Subscribe(&wg, func(k int) { got[i].n += k })
				}
				measureN(b, tracedValues(n), func(ops int) {
					for i := range ops {
						bus.Send(i)
					}
					bus.End()
					wg.Wait()
					checkReceived(b, got, ops)
				})
			})
		}
	}
}

// BenchmarkBroadcastPingPong sends a value when all n subscribers have received the
// previous one and sleep, or are about to.
func BenchmarkBroadcastPingPong(b *testing.B) {
	sleeping := func(p work.Peer) bool { return p.Bus != nil && !p.Synchronous }
	for _, n := range []int{1, 10, 100} {
		for _, p := range work.Peers(sleeping) {
			b.Run(fmt.Sprintf("n=%d/lib=%s", n, p.Name), func(b *testing.B) {
				var wg sync.WaitGroup
				var left atomic.Int64
				all := make(chan struct{}, 1)
				got := make([]received, n)
				bus := p.Bus(b, busRoom)
				for i := range got {
					bus.Subscribe(&wg, func(k int) {
						got[i].n += k
						if left.Add(int64(-k)) == 0 {
							all <- struct{}{}
						}
					})
				}
				measureN(b, tracedOps/n, func(ops int) {
					for i := range ops {
						left.Store(int64(n))
						bus.Send(i)
						<-all
					}
					bus.End()
					wg.Wait()
					checkReceived(b, got, ops)
				})
			})
		}
	}
}
