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

// A growth is a kind of work of which there can be any amount.
type growth struct {
	pkg string
	// prepare returns the whole work on n items, from making the pool, or whatever
	// does it, to its end. Each item takes so many rounds of work.Spin, where that
	// is possible. Every result is checked. held is called once, when about as
	// much is in memory as ever is.
	prepare func(b *testing.B, n, rounds int) (run func(held func()))
	sizes   []int
	enough  int // items to be timed at least, in as many runs as it takes
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

// BenchmarkGrowth says whether ten times as much takes ten times as long, and ten
// times as much memory where it has to be kept. What is measured is the whole work
// on n items, for n from a thousand to ten million; n is the number of subscribers
// where pkg says so. Little work is done repeatedly, so that it is measured as warm
// as much work is; with -short there is no more than 100,000. There are
//
//   - ns/item,
//   - B/item, what is allocated, however short it lives,
//   - live-B/item, by how much the live heap has grown when the most is held,
//
// and no time per operation, as one operation is something else for each n.
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

// BenchmarkGrowthWork is BenchmarkGrowth for items that take that much of a
// processor's time: in a task, in each of three stages, in the sender of a value,
// between two claims.
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
	if runs > 1 { // not among those that are timed
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
	b.ReportMetric(0, "ns/op") // leaves it out
}

// reportItems reports the time of an item, of which there are so many in an
// operation.
func reportItems(b *testing.B, items int) {
	b.Helper()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(items), "ns/item")
	b.ReportMetric(0, "ns/op") // leaves it out
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

// plusOneOf is stepOf where there is neither a context nor an error.
func plusOneOf(rounds int) func(int) int {
	step := stepOf(rounds)
	return func(v int) int {
		v, _ = step(context.Background(), v)
		return v
	}
}

// checkSum fails b unless sum is that of 1 to n: what comes of 0 to n-1 if each
// has been worked on once.
func checkSum(b *testing.B, sum, n int) {
	b.Helper()
	if want := n * (n + 1) / 2; sum != want {
		b.Fatalf("the sum of %d results is %d, want %d", n, sum, want)
	}
}

// A sharedSum fills two cache lines, or chance would decide what it shares one
// with.
type sharedSum struct {
	_ [64]byte
	atomic.Int64
	_ [56]byte
}
