package benchmarks_test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandemgo/tandem/benchmarks/work"
	"github.com/tandemgo/tandem/internal/testkit"
)

// A growth is a kind of work that scales to any number of items.
type growth struct {
	pkg string
	// prepare returns the whole work on n items, from making the engine to its end.
	// Each item takes the given number of rounds of work.Spin, where that is possible.
	// Every result is checked. held is called once, when the memory in use is about at
	// its maximum.
	prepare func(b *testing.B, n, rounds int) (run func(held func()))
	sizes   []int
	enough  int // the least number of items to time, over several runs
	works   bool
}

var (
	itemCounts       = []int{1000, 10_000, 100_000, 1_000_000, 10_000_000}
	subscriberCounts = []int{10, 100, 1000, 10_000, 30_000} // with 100,000 it takes minutes
)

const manyItems = 1_000_000

var growths = []growth{
	{"pool", growPool, itemCounts, manyItems, true},
	{"pool-waiting", growPoolWaiting, itemCounts, manyItems, false},
	{"pool-group", growPoolGroup, itemCounts, manyItems, true},
	{"pipeline", growPipeline, itemCounts, manyItems, true},
	{"pipeline-ordered", growPipelineOrdered, itemCounts, manyItems, true},
	{"fan-map", growFanMap, itemCounts, manyItems, true},
	{"ratelimit", growLimiter, itemCounts, manyItems, true},
	{"ratelimit-keyed", growKeyed, itemCounts, manyItems, true},
	{"broadcast", growBroadcast, itemCounts, manyItems, true},
	{"broadcast-senders", growSenders, itemCounts[:4], manyItems / 10, false},
	{"broadcast-subscribers", growSubscribers, subscriberCounts, 100, false},
}

// BenchmarkGrowth measures whether ten times as many items take ten times the time, and
// ten times the memory where they have to be kept. It measures the whole work on n
// items, for n from a thousand to ten million; n is the number of subscribers if pkg
// has subscribers. Small work is repeated, so that it runs as warm as large work; with
// -short n is at most 100,000. The figures are
//
//   - ns/item,
//   - B/item, the memory allocated in total,
//   - live-B/item, the growth of the live heap at its maximum,
//
// and no time for an operation, since an operation differs for each n.
func BenchmarkGrowth(b *testing.B) {
	for _, g := range growths {
		for _, n := range g.sizes {
			if testing.Short() && n > 100_000 {
				continue
			}
			b.Run(fmt.Sprintf("pkg=%s/n=%d/lib=tandem", g.pkg, n), func(b *testing.B) {
				g.measure(b, n)
			})
		}
	}
}

// BenchmarkGrowthWork is BenchmarkGrowth with items that take some processor time: in a
// task, in each of three stages, in the sender of a value, between two permits.
func BenchmarkGrowthWork(b *testing.B) {
	for _, g := range growths {
		if !g.works {
			continue
		}
		for _, cost := range []time.Duration{time.Microsecond, 50 * time.Microsecond} {
			n := int(100 * time.Millisecond / cost)
			b.Run(fmt.Sprintf("pkg=%s/work=%dus/lib=tandem", g.pkg, cost.Microseconds()), func(b *testing.B) {
				run := g.prepare(b, n, work.SpinRounds(cost))
				for b.Loop() {
					run(func() {})
				}
				reportItems(b, n)
			})
		}
	}
}

func (g growth) measure(b *testing.B, n int) {
	b.Helper()
	run := g.prepare(b, n, 0)
	runs := max(1, g.enough/n)
	before := float64(testkit.Heap())
	var live float64
	var looking time.Duration
	look := func() {
		start := time.Now()
		live = float64(testkit.Heap()) - before
		looking += time.Since(start)
	}
	if runs > 1 { // not timed
		run(look)
		look, looking = func() {}, 0
	}
	allocated := allocatedBytes()
	for b.Loop() {
		for range runs {
			run(look)
		}
	}
	items := float64(b.N * runs * n)
	b.ReportMetric(float64((b.Elapsed()-looking).Nanoseconds())/items, "ns/item")
	b.ReportMetric((allocatedBytes()-allocated)/items, "B/item")
	b.ReportMetric(live/float64(n), "live-B/item")
	b.ReportMetric(0, "ns/op") // omits the figure
}

// reportItems reports the time of an item, given the number of items in an operation.
func reportItems(b *testing.B, items int) {
	b.Helper()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(items), "ns/item")
	b.ReportMetric(0, "ns/op") // omits the figure
}

func allocatedBytes() float64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.TotalAlloc)
}

// stepOf returns a step that adds one, after some rounds of work.Spin.
func stepOf(rounds int) work.Step {
	if rounds == 0 {
		return work.PlusOne
	}
	return work.PlusOneAfter(rounds)
}

// plusOneOf is stepOf without a context and an error.
func plusOneOf(rounds int) func(int) int {
	step := stepOf(rounds)
	return func(v int) int {
		v, _ = step(context.Background(), v)
		return v
	}
}

// checkSum fails b unless sum is that of 1 to n, the result of 0 to n-1 if each item
// was processed once.
func checkSum(b *testing.B, sum, n int) {
	b.Helper()
	if want := n * (n + 1) / 2; sum != want {
		b.Fatalf("the sum of %d results is %d, want %d", n, sum, want)
	}
}

// A sharedSum fills two cache lines, so that it shares none with other data.
type sharedSum struct {
	_ [64]byte
	atomic.Int64
	_ [56]byte
}
