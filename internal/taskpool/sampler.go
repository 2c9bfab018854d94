package taskpool

import "time"

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
