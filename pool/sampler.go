package pool

import "time"

// A sampler chooses the tasks whose times are taken. Reading the clock costs as
// much as all else that the pool does for a task, so while tasks come quickly
// it takes one of several, up to one of 64, each of which counts for those
// between: while they come slowly, every one. The inbox's lock guards it.
type sampler struct {
	left   int // tasks before the next sample
	stride int // tasks a sample
	run    int // samples in a row that came quickly
	last   time.Duration

	pending []sample // of tasks that wait, at most maxPending
	owed    uint64   // the weights of samples for which there was no room
}

const maxPending = 64

// A sample is a task whose times are taken.
type sample struct {
	seq    uint64
	at     time.Duration // when it was accepted, since core.base
	weight uint64        // tasks that it counts for
}

const (
	quick     = 2 * time.Microsecond // between tasks, below which samples get rarer
	quickRun  = 16                   // samples, after which they do
	maxStride = 64
)

// take records task seq, accepted at now, as a sample, and sets when the next
// one is due.
func (s *sampler) take(seq uint64, now time.Duration) {
	weight := uint64(max(s.stride, 1))
	switch apart := (now - s.last) / time.Duration(weight); {
	case apart < 0 || apart > time.Millisecond: // a new burst
		s.stride, s.run = 1, 0
	case apart > quick:
		s.stride, s.run = max(s.stride/2, 1), 0
	default:
		if s.run++; s.run >= quickRun {
			s.stride, s.run = min(max(s.stride, 1)*2, maxStride), 0
		}
	}
	s.left, s.last = s.stride-1, now
	if len(s.pending) == maxPending {
		s.owed += weight // the next one stands for it
		return
	}
	s.pending = append(s.pending, sample{seq, now, weight + s.owed})
	s.owed = 0
}

// due returns the first of samples from task seq on, if it is among the next n
// tasks, and the samples behind it. Earlier ones are lost: their tasks left the
// middle of the queue.
func due(samples []sample, seq uint64, n int) (smp sample, ok bool, rest []sample) {
	for i, smp := range samples {
		switch {
		case smp.seq >= seq+uint64(n):
			return smp, false, samples[i:]
		case smp.seq >= seq:
			return smp, true, samples[i+1:]
		}
	}
	return smp, false, nil
}
