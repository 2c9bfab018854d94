package benchmarks

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandemgo/tandem/broadcast"
)

var readerCounts = []int{1, 10, 100, 1000}

// BenchmarkBroadcast sends values to n subscribers that all get every value; one
// operation is one value, delivered n times.
func BenchmarkBroadcast(b *testing.B) {
	for _, n := range readerCounts {
		for _, lib := range buses {
			b.Run(fmt.Sprintf("n=%d/lib=%s", n, lib.name), func(b *testing.B) {
				b.ReportAllocs()
				var wg sync.WaitGroup
				got := make([]int, n)
				bus := lib.make(b)
				for i := range n {
					bus.subscribe(&wg, func(k int) { got[i] += k })
				}
				for i := 0; b.Loop(); i++ {
					bus.send(i)
				}
				bus.end()
				wg.Wait()
				for i := range got {
					if got[i] != b.N {
						b.Fatalf("subscriber %d got %d of %d", i, got[i], b.N)
					}
				}
			})
		}
	}
}

// BenchmarkBroadcastPingPong sends a value when all n subscribers have received
// the one before and have gone to sleep, or are about to.
func BenchmarkBroadcastPingPong(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		for _, lib := range buses {
			if lib.inline {
				continue // nobody sleeps
			}
			b.Run(fmt.Sprintf("n=%d/lib=%s", n, lib.name), func(b *testing.B) {
				b.ReportAllocs()
				var wg sync.WaitGroup
				var left atomic.Int64
				all := make(chan struct{}, 1)
				bus := lib.make(b)
				for range n {
					bus.subscribe(&wg, func(k int) {
						if left.Add(int64(-k)) == 0 {
							all <- struct{}{}
						}
					})
				}
				for i := 0; b.Loop(); i++ {
					left.Store(int64(n))
					bus.send(i)
					<-all
				}
				bus.end()
				wg.Wait()
			})
		}
	}
}

// BenchmarkBroadcastSend is the sender's part alone: how long Send takes with n
// subscribers that are awake. They read when the clock stands still.
func BenchmarkBroadcastSend(b *testing.B) {
	for _, n := range readerCounts {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			ctx := context.Background()
			bc := broadcast.New[int](broadcast.WithCapacity(busBuffer))
			subs := make([]*broadcast.Subscription[int], n)
			for i := range subs {
				var err error
				if subs[i], err = bc.Subscribe(broadcast.OnOverflow(broadcast.Block)); err != nil {
					b.Fatal(err)
				}
			}
			dst := make([]int, busBuffer)
			sent := 0
			for i := range b.N {
				if err := bc.Send(ctx, i); err != nil {
					b.Fatal(err)
				}
				if sent++; sent%busBuffer > 0 && i < b.N-1 {
					continue
				}
				b.StopTimer()
				for _, s := range subs {
					for s.Backlog() > 0 {
						if _, err := s.NextBatch(ctx, dst); err != nil {
							b.Fatal(err)
						}
					}
				}
				b.StartTimer()
			}
		})
	}
}

// BenchmarkBroadcastStalled has 100 subscribers that keep up, without and with
// one more that has stalled, and reports the sender's median and 99th percentile
// of bursts of 16.
func BenchmarkBroadcastStalled(b *testing.B) {
	for _, stalled := range []int{0, 1} {
		b.Run(fmt.Sprintf("stalled=%d", stalled), func(b *testing.B) {
			b.ReportAllocs()
			ctx := context.Background()
			bc := broadcast.New[int](broadcast.WithCapacity(busBuffer))
			var wg sync.WaitGroup
			for i := range 100 + stalled {
				s, err := bc.Subscribe()
				if err != nil {
					b.Fatal(err)
				}
				if i >= 100 {
					defer s.Close() // it never reads
					continue
				}
				wg.Go(func() { countBatches(b, s, func(int) {}) })
			}
			var took []time.Duration
			for i := 0; b.Loop(); i++ {
				start := time.Now()
				for k := range 16 {
					if err := bc.Send(ctx, k); err != nil {
						b.Fatal(err)
					}
				}
				took = append(took, time.Since(start))
			}
			_ = bc.Close()
			wg.Wait()
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2])/16, "p50-ns")
			b.ReportMetric(float64(took[len(took)*99/100])/16, "p99-ns")
		})
	}
}
