package taskpool

import (
	"math/bits"
	"time"

	"github.com/tandemgo/tandem/internal/sched"
)

// Buckets of a Recorder: one below 64 ns, then four for each doubling.
const (
	lowest  = 6  // bucket 0 is below 1<<lowest ns
	octaves = 40 // each of four buckets
	Buckets = 4*octaves + 2
)

// A Recorder counts times in buckets.
type Recorder struct {
	counts [Buckets]sched.Counter
	sum    sched.Counter // in nanoseconds
}

func (r *Recorder) add(d time.Duration, weight uint64) {
	d = max(d, 0)
	r.counts[bucket(d)].Add(weight)
	r.sum.Add(uint64(d) * weight)
}

func bucket(d time.Duration) int {
	if d < 1<<lowest {
		return 0
	}
	top := bits.Len64(uint64(d)) - 1
	return min(1+4*(top-lowest)+int(d>>(top-2)&3), Buckets-1)
}

// Bound returns the smallest time above bucket i.
func Bound(i int) time.Duration {
	if i >= Buckets-1 {
		return 1<<63 - 1
	}
	return time.Duration(4+i%4) << (lowest + i/4 - 2)
}

// Counts returns the counts, and the sum of all times.
func (r *Recorder) Counts() (counts []uint64, sum time.Duration) {
	counts = make([]uint64, Buckets)
	for i := range r.counts {
		counts[i] = r.counts[i].Load()
	}
	return counts, time.Duration(r.sum.Load())
}
