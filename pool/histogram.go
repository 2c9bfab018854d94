package pool

import (
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/tandemgo/tandem/internal/taskpool"
)

// A Histogram is a distribution of times, in buckets that are at most a quarter
// as wide as the times in them, from below 64 ns to above 9 hours. The zero
// value is empty.
type Histogram struct {
	counts []uint64
	total  uint64
	sum    time.Duration
}

func newHistogram(r *taskpool.Recorder) (h Histogram) {
	h.counts, h.sum = r.Counts()
	for _, n := range h.counts {
		h.total += n
	}
	return h
}

// Count returns how many tasks are counted.
func (h Histogram) Count() uint64 { return h.total }

// Sum returns the sum of all times.
func (h Histogram) Sum() time.Duration { return h.sum }

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

// String has the number of tasks, and the times that half of them, 99 in 100 and all
// of them do not exceed.
func (h Histogram) String() string {
	return fmt.Sprintf("%d: p50 %v, p99 %v, max %v", h.Count(), h.Quantile(0.5), h.Quantile(0.99), h.Quantile(1))
}

// All walks the buckets that are not empty, the shortest times first: a time
// that is above all in the bucket, and how many tasks are in it.
func (h Histogram) All() iter.Seq2[time.Duration, uint64] {
	return func(yield func(time.Duration, uint64) bool) {
		for i, n := range h.counts {
			if n > 0 && !yield(taskpool.Bound(i), n) {
				return
			}
		}
	}
}

// MarshalJSON returns the number of tasks, the sum of their times in nanoseconds, and the buckets
// that are not empty, each with a time in nanoseconds that is above all in it.
func (h Histogram) MarshalJSON() ([]byte, error) {
	type bucket struct {
		Below time.Duration `json:"below"`
		Count uint64        `json:"count"`
	}
	buckets := []bucket{}
	for d, n := range h.All() {
		buckets = append(buckets, bucket{d, n})
	}
	return json.Marshal(struct {
		Count   uint64        `json:"count"`
		Sum     time.Duration `json:"sum"`
		Buckets []bucket      `json:"buckets"`
	}{h.Count(), h.Sum(), buckets})
}
