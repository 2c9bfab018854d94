package stage

import (
	"context"

	"github.com/tandemgo/tandem/internal/sched"
)

// A Mutex is a mutex that may be held over a wait: goroutines that wait for it park on a
// channel, and leave when their context ends. It lets several goroutines share the sending
// end of a ring. Make one with NewMutex.
//
// It is the third mutex of Ulrich Drepper, "Futexes Are Tricky" (2004), on a channel of
// capacity 1: state is free, held, or held while others may wait. Unlock sends one signal
// in the last case.
type Mutex struct {
	state sched.Uint64
	turn  chan struct{}
	waits *Clock
}

const (
	free = iota
	held
	contended
)

// NewMutex returns an unlocked mutex. waits, which may be nil, adds up how long goroutines
// are parked at it.
func NewMutex(waits *Clock) *Mutex { return &Mutex{turn: make(chan struct{}, 1), waits: waits} }

// Lock locks the mutex. It waits until the mutex is free, or ctx ends, which is an error.
func (m *Mutex) Lock(ctx context.Context) error {
	if m.state.CompareAndSwap(free, held) {
		return nil
	}
	for m.state.Swap(contended) != free {
		m.waits.Turn(1)
		sched.ParkCtx(ctx, m.turn)
		m.waits.Turn(-1)
		if sched.Err(ctx) != nil {
			sched.Signal(m.turn) // the signal may have been for another one
			return context.Cause(ctx)
		}
	}
	return nil
}

// Unlock unlocks the mutex.
func (m *Mutex) Unlock() {
	if m.state.Swap(free) == contended {
		sched.Signal(m.turn)
	}
}
