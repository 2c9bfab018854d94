package benchmarks

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandemgo/tandem/benchmarks/work"
)

// waitLength is the real time of a benchmark of waits.
const waitLength = 500 * time.Millisecond

// waiters returns the peers that can wait. It skips a benchmark that counts parks,
// since their number depends on the speed of the machine.
func waiters(b *testing.B) []work.Peer {
	if *countParks {
		b.Skip("lasts for a time, not for so many operations")
	}
	return work.Peers(func(p work.Peer) bool { return p.Wait != nil })
}

// BenchmarkWaitRate waits for permits at a million a second, from eight goroutines, for
// some real time. of-rate is the ratio of granted permits to rate·t, since the burst is
// spent at the start; more than 1 is a broken promise. The burst makes up for a machine
// that wakes a sleeper some milliseconds late.
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

// waitFor waits for permits from eight goroutines until end, and returns their number.
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

// BenchmarkWaiters has a thousand waiting goroutines, of which a hundred a second are
// served, for some real time. cpu-s/s is the processor time for that.
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
