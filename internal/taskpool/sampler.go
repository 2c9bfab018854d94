package taskpool

import "time"

// A sampler chooses the tasks whose times are taken. A reading of the clock costs as much
// as all else that a pool does for a task, so while tasks come quickly the sampler takes
// one of several, up to one of 64, which counts for all of these. While they come slowly,
// it takes each of them.
type sampler struct {
	left int           // tasks before the next sample
	log  uint          // a sample counts for 1<<log tasks
	run  int           // successive samples that came quickly
	last time.Duration // time of the last sample
}

// A sample is the time at which a task was accepted, in units of 8 ns, and in the low
// three bits the logarithm of the number of tasks that it counts for.
type sample int64

func (s sample) at() time.Duration { return time.Duration(s &^ 7) }
func (s sample) weight() uint64    { return 1 << (s & 7) }

const (
	quick    = 2 * time.Microsecond // between tasks, below which samples get rarer
	quickRun = 16                   // successive quick samples after which they do
	mostLog  = 6
)

// due reports whether the next task is to be sampled.
func (s *sampler) due() bool {
	s.left--
	return s.left < 0
}

// take returns a sample of the present task.
func (s *sampler) take(now time.Duration) sample {
	taken := sample(now&^7) | sample(s.log)
	switch apart := (now - s.last) >> s.log; {
	case apart < 0 || apart > time.Millisecond: // a new burst
		s.log, s.run = 0, 0
	case apart > quick:
		s.log, s.run = max(s.log, 1)-1, 0
	default:
		if s.run++; s.run >= quickRun {
			s.log, s.run = min(s.log+1, mostLog), 0
		}
	}
	s.left, s.last = 1<<s.log-1, now
	return taken
}
