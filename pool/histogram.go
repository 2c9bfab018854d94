package pool

import (
	"fmt"
	"iter"
	"math/bits"
	"sync/atomic"
	"time"
)

// A Histogram is a distribution of times, in buckets that are at most a quarter
// as wide as the times in them, from below 64 ns to above 9 hours. The zero
// value is empty.
type Histogram struct {
	counts []uint64
	total  uint64
}

const (
	lowest   = 6             // bucket 0 is below 1<<lowest ns
	octaves  = 40            // each of four buckets
	nBuckets = 4*octaves + 2 // one below them, one above
)

func bucket(d time.Duration) int {
	if d < 1<<lowest {
		return 0
	}
	top := bits.Len64(uint64(d)) - 1
	return min(1+4*(top-lowest)+int(d>>(top-2)&3), nBuckets-1)
}

// bound returns the smallest time above bucket i.
func bound(i int) time.Duration {
	if i >= nBuckets-1 {
		return 1<<63 - 1
	}
	return time.Duration(4+i%4) << (lowest + i/4 - 2)
}

// Count returns how many tasks are counted.
func (h Histogram) Count() uint64 { return h.total }

// Quantile returns the time which the fraction q of tasks does not exceed: the
// median for 0.5. It is rounded up to the bound of a bucket. It returns 0 if
// the histogram is empty, and the extremes for q outside of 0 … 1.
func (h Histogram) Quantile(q float64) time.Duration {
	var last time.Duration
	need := q * float64(h.total)
	var seen uint64
	for d, n := range h.All() {
		last = d
		if seen += n; float64(seen) >= need {
			break
		}
	}
	return last
}

// String says how many tasks are counted, and what half of them, 99 in 100 and all
// of them do not exceed.
func (h Histogram) String() string {
	return fmt.Sprintf("%d: p50 %v, p99 %v, max %v", h.Count(), h.Quantile(0.5), h.Quantile(0.99), h.Quantile(1))
}

// All walks the buckets that are not empty, the shortest times first: a time
// that is above all in the bucket, and how many tasks are in it.
func (h Histogram) All() iter.Seq2[time.Duration, uint64] {
	return func(yield func(time.Duration, uint64) bool) {
		for i, n := range h.counts {
			if n > 0 && !yield(bound(i), n) {
				return
			}
		}
	}
}

// A recorder is a histogram that is being filled.
type recorder struct{ counts [nBuckets]atomic.Uint64 }

func (r *recorder) add(d time.Duration, weight uint64) { r.counts[bucket(d)].Add(weight) }

func (r *recorder) histogram() Histogram {
	h := Histogram{counts: make([]uint64, nBuckets)}
	for i := range r.counts {
		h.counts[i] = r.counts[i].Load()
		h.total += h.counts[i]
	}
	return h
}
