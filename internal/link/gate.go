package link

import (
	"context"
	"sync/atomic"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/point"
)

// A Gate is a mutex that may be held over a wait: those who stand before it park
// on a channel, and leave when their context ends. It is how several goroutines
// share the sending end of a link. Make one with NewGate.
//
// It is the third mutex of Ulrich Drepper, "Futexes Are Tricky" (2004), on a
// channel of capacity 1: state says free, held, or held while others may wait,
// and whoever leaves it in the last state sends one signal. Who stands before it
// is asleep, and not at a mutex: there may be points while it is held.
type Gate struct {
	state atomic.Int32
	turn  chan struct{}
	waits *Clock
}

const (
	free = iota
	held
	contended
)

// NewGate returns an open gate.
func NewGate() *Gate { return &Gate{turn: make(chan struct{}, 1)} }

// Time makes the gate tell clock how long those were parked who stood before it.
// It must be called before the gate is used.
func (g *Gate) Time(clock *Clock) { g.waits = clock }

// Enter waits until nobody is inside, or ctx has ended, which is an error.
func (g *Gate) Enter(ctx context.Context) error {
	point.At("gate: before it")
	if g.state.CompareAndSwap(free, held) {
		return nil
	}
	point.At("gate: before it says that it waits")
	for g.state.Swap(contended) != free {
		point.At("gate: before it parks")
		g.waits.start()
		select {
		case <-g.turn:
			g.waits.stop()
			point.At("gate: has been woken")
		case <-ctx.Done():
			g.waits.stop()
			return context.Cause(ctx)
		}
	}
	return nil
}

// Leave lets the next one in.
func (g *Gate) Leave() {
	if g.state.Swap(free) == contended {
		point.At("gate: before it signals")
		ctxselect.Signal(g.turn)
	}
}
