package benchmarks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tandemgo/tandem/broadcast"
)

// BenchmarkBroadcastSend is the sender's part alone: the time of Send with n
// subscribers that are awake. They read while the clock is stopped.
func BenchmarkBroadcastSend(b *testing.B) {
	for _, n := range readerCounts {
		b.Run(fmt.Sprintf("n=%d/lib=tandem", n), func(b *testing.B) {
			ctx := context.Background()
			bc := broadcast.New[int](broadcast.WithCapacity(busRoom))
			subs := make([]*broadcast.Subscription[int], n)
			for i := range subs {
				subs[i] = subscribe(b, bc, broadcast.WithOverflow(broadcast.Block))
			}
			got := make([]received, n)
			dst := make([]int, busRoom)
			measureN(b, tracedValues(n), func(ops int) {
				for i := range ops {
					if err := bc.Send(ctx, i); err != nil {
						b.Fatal(err)
					}
					if (i+1)%busRoom > 0 && i < ops-1 {
						continue
					}
					b.StopTimer()
					for i, s := range subs {
						got[i].n += readBacklog(b, s, dst)
					}
					b.StartTimer()
				}
				checkReceived(b, got, ops)
			})
		})
	}
}

func readBacklog(b *testing.B, s *broadcast.Subscription[int], dst []int) (got int) {
	for s.Backlog() > 0 {
		n, err := s.NextBatch(context.Background(), dst)
		if err != nil {
			b.Fatal(err)
		}
		got += n
	}
	return got
}

// BenchmarkBroadcastStalled has 100 subscribers that keep up, without and with another
// one that is stalled. It reports the sender's median and 99th percentile for a value,
// in bursts of 16.
func BenchmarkBroadcastStalled(b *testing.B) {
	const readers, burst = 100, 16
	for _, stalled := range []int{0, 1} {
		b.Run(fmt.Sprintf("stalled=%d/lib=tandem", stalled), func(b *testing.B) {
			bc := broadcast.New[int](broadcast.WithCapacity(busRoom))
			var wg sync.WaitGroup
			got := make([]received, readers)
			for i := range got {
				s := subscribe(b, bc)
				wg.Go(func() { got[i].n = readAll(b, s) })
			}
			for range stalled {
				defer subscribe(b, bc).Close() // it never reads
			}
			sent := 0
			var took []time.Duration
			measureN(b, tracedValues(readers), func(ops int) {
				for ; sent < ops; sent += burst {
					start := time.Now()
					for k := range burst {
						if err := bc.Send(context.Background(), k); err != nil {
							b.Fatal(err)
						}
					}
					took = append(took, time.Since(start))
				}
			})
			_ = bc.Close()
			wg.Wait()
			checkReceived(b, got, sent)
			if *countParks {
				return
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2])/burst, "p50-ns")
			b.ReportMetric(float64(took[len(took)*99/100])/burst, "p99-ns")
		})
	}
}

func subscribe(b *testing.B, bc *broadcast.Broadcast[int], opts ...broadcast.SubscribeOption) *broadcast.Subscription[int] {
	s, err := bc.Subscribe(opts...)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// readAll reads to the end, and returns the number of values, including missed ones.
func readAll(b *testing.B, s *broadcast.Subscription[int]) (got int) {
	dst := make([]int, 256)
	for {
		n, err := s.NextBatch(context.Background(), dst)
		got += n
		if errors.Is(err, broadcast.ErrClosed) {
			return got + int(s.Missed())
		}
		if _, ok := errors.AsType[*broadcast.GapError](err); err != nil && !ok {
			b.Error(err)
			return got
		}
	}
}
