package benchmarks

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	workers    = 8
	queue      = 1024 // tasks that may wait, where that can be set
	submitters = 64
)

// BenchmarkPool runs empty tasks, submitted by one goroutine to 8 workers; one
// operation is one task.
func BenchmarkPool(b *testing.B) {
	for _, lib := range runnerLibs {
		b.Run("lib="+lib.name, func(b *testing.B) {
			var ran runCount
			benchRunner(b, lib, &ran, func(int) { ran.Add(1) })
		})
	}
}

// BenchmarkPoolSubmitters is BenchmarkPool with 64 goroutines that submit.
func BenchmarkPoolSubmitters(b *testing.B) {
	for _, lib := range runnerLibs {
		b.Run("lib="+lib.name, func(b *testing.B) {
			b.ReportAllocs()
			var ran runCount
			r := lib.new(b, queue, func(int) { ran.Add(1) })
			b.ResetTimer()
			var wg sync.WaitGroup
			for first := range submitters {
				wg.Go(func() {
					for i := first; i < b.N; i += submitters {
						r.submit(i)
					}
				})
			}
			wg.Wait()
			r.wait()
			ran.check(b)
		})
	}
}

// BenchmarkPoolWork is BenchmarkPool with tasks that take that much of a
// processor's time.
func BenchmarkPoolWork(b *testing.B) {
	for _, cost := range []time.Duration{time.Microsecond, 50 * time.Microsecond} {
		rounds := spinRounds(cost)
		for _, lib := range runnerLibs {
			b.Run(fmt.Sprintf("work=%dus/lib=%s", cost.Microseconds(), lib.name), func(b *testing.B) {
				var ran runCount
				benchRunner(b, lib, &ran, func(task int) {
					if spin(task, rounds) {
						ran.Add(1)
					}
				})
			})
		}
	}
}

// benchRunner submits b.N tasks and waits for them, which is timed too: some of
// the queues have no bound, and tasks that are still in them are not done.
func benchRunner(b *testing.B, lib runnerLib, ran *runCount, fn func(int)) {
	b.Helper()
	b.ReportAllocs()
	r := lib.new(b, queue, fn)
	b.ResetTimer()
	for i := range b.N {
		r.submit(i)
	}
	r.wait()
	ran.check(b)
}

// A runCount counts the tasks that ran. It fills a cache line, or chance would
// decide what it shares one with.
type runCount struct {
	atomic.Int64
	_ [56]byte
}

func (c *runCount) check(b *testing.B) {
	b.Helper()
	if ran := c.Load(); ran != int64(b.N) {
		b.Fatalf("%d tasks ran, want %d", ran, b.N)
	}
}

// spin keeps a processor busy for a number of rounds of arithmetic, xorshift.
// Within a task there is no look at the clock, which costs more than a short
// task. It reports true, as no seed but 0 leads to 0; the compiler cannot know.
//
//go:noinline
func spin(seed, rounds int) bool {
	x := uint64(seed) | 1
	for range rounds {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x != 0
}

// spinRounds returns how many rounds of spin take d.
func spinRounds(d time.Duration) int { return max(1, int(float64(d)/roundTime())) }

// roundTime is the time of one round of spin in nanoseconds: the least of
// several trials, which are short enough that some are not interrupted. It is
// measured once, so that all libraries get the same tasks.
var roundTime = sync.OnceValue(func() float64 {
	const rounds = 20_000
	least := time.Duration(math.MaxInt64)
	for trial := range 20 {
		start := time.Now()
		spin(trial, rounds)
		least = min(least, time.Since(start))
	}
	return float64(least) / rounds
})
