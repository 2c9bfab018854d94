package benchmarks

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandemgo/tandem/benchmarks/work"
)

// waitLength is how much real time a benchmark of waiting lasts.
const waitLength = 500 * time.Millisecond

// waiters returns the peers that can wait. It skips a benchmark that is to count
// parks: how many there are in that time depends on how fast all goes.
func waiters(b *testing.B) []work.Peer {
	if *countParks {
		b.Skip("lasts for a time, not for so many operations")
	}
	return work.Peers(func(p work.Peer) bool { return p.Wait != nil })
}

// BenchmarkWaitRate waits for permits at a million a second, from eight
// goroutines, for some real time. of-rate is how many were granted in terms of
// rate·t, as the burst is spent at the start; more than 1 is a broken promise. The
// burst is what a machine needs that wakes a sleeper some milliseconds late.
func BenchmarkWaitRate(b *testing.B) {
	const perSecond, burst = 1_000_000, 20_000
	for _, p := range waiters(b) {
		b.Run("lib="+p.Name, func(b *testing.B) {
			granted, due := 0, 0.0
			for b.Loop() {
				start := time.Now()
				granted += waitFor(b, p.Wait(perSecond, burst), start.Add(waitLength))
				due += perSecond * time.Since(start).Seconds()
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(granted)/due, "of-rate")
			if float64(granted) > due && p.Name == "tandem" {
				b.Errorf("%d permits, of %.0f", granted, due)
			}
		})
	}
}

// waitFor waits for permits from eight goroutines until end, and returns how many
// there were.
func waitFor(b *testing.B, wait func(context.Context) error, end time.Time) int {
	var granted atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			n := int64(0)
			for n%64 != 0 || time.Now().Before(end) {
				if err := wait(context.Background()); err != nil {
					b.Error(err)
					break
				}
				n++
			}
			granted.Add(n)
		})
	}
	wg.Wait()
	return int(granted.Load())
}

// BenchmarkWaiters has a thousand goroutines wait, of which a hundred a second are
// served, for some real time. cpu-s/s is what that costs.
func BenchmarkWaiters(b *testing.B) {
	for _, p := range waiters(b) {
		b.Run("lib="+p.Name, func(b *testing.B) {
			var granted atomic.Int64
			var used time.Duration
			for b.Loop() {
				wait := p.Wait(100, 1)
				ctx, cancel := context.WithCancel(context.Background())
				var wg sync.WaitGroup
				before := cpu(b)
				for range 1000 {
					wg.Go(func() {
						if wait(ctx) == nil {
							granted.Add(1)
						}
					})
				}
				time.Sleep(waitLength)
				used += cpu(b) - before
				cancel()
				wg.Wait()
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(used.Seconds()/(float64(b.N)*waitLength.Seconds()), "cpu-s/s")
			b.ReportMetric(float64(granted.Load())/float64(b.N), "granted")
		})
	}
}
