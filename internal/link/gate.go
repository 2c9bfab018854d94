package link

import (
	"context"
	"sync/atomic"

	"github.com/tandemgo/tandem/internal/ctxselect"
)

// A Gate is a mutex that may be held over a wait: those who stand before it park
// on a channel, and leave when their context ends. It is how several goroutines
// share the sending end of a link. Make one with NewGate.
//
// It is the third mutex of Ulrich Drepper, "Futexes Are Tricky" (2004), on a
// channel of capacity 1: state says free, held, or held while others may wait,
// and whoever leaves it in the last state sends one signal.
type Gate struct {
	state atomic.Int32
	turn  chan struct{}
}

const (
	free = iota
	held
	contended
)

// NewGate returns an open gate.
func NewGate() *Gate { return &Gate{turn: make(chan struct{}, 1)} }

// Enter waits until nobody is inside, or ctx has ended, which is an error.
func (g *Gate) Enter(ctx context.Context) error {
	if g.state.CompareAndSwap(free, held) {
		return nil
	}
	for g.state.Swap(contended) != free {
		select {
		case <-g.turn:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// Leave lets the next one in.
func (g *Gate) Leave() {
	if g.state.Swap(free) == contended {
		ctxselect.Signal(g.turn)
	}
}
