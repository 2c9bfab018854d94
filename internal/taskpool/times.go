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

// A sampler chooses the tasks whose times are taken. A reading of the clock costs as much
// as all else that a pool does for a task, so while tasks come quickly the sampler takes
// one of several, up to one of 64, which counts for all of these. While they come slowly,
// it takes each of them.
type sampler struct {
	left int           // tasks before the next sample
	run  int           // successive samples that came quickly
	last time.Duration // time of the last sample
}

// A sample is the time at which a task was accepted, in units of 8 ns, and in the low
// three bits the logarithm of the number of tasks that it counts for. It is not 0.
type sample int64

func newSample(at time.Duration, log int) sample { return sample(at&^7+8) | sample(log) }

func (s sample) time() time.Duration { return time.Duration(s&^7 - 8) }
func (s sample) weight() uint64      { return 1 << (s & 7) }

const (
	quick    = 2 * time.Microsecond // between tasks, below which samples get rarer
	quickRun = 16                   // successive quick samples after which a sample counts for twice as many
	mostLog  = 6
)

// take returns a sample of the present task.
func (s *sampler) take(now time.Duration) sample {
	log := s.run / quickRun
	taken := newSample(now, log)
	if (now-s.last)>>log < quick {
		s.run = min(s.run+1, mostLog*quickRun)
	} else {
		s.run = 0
	}
	s.left, s.last = 1<<log-1, now
	return taken
}
