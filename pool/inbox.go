package pool

import (
	"context"

	"github.com/tandemgo/tandem/internal/point"
	"github.com/tandemgo/tandem/internal/shortlock"
)

// An inbox is where submitters put tasks. It has a lock of its own, so that
// submitters and workers meet only when a worker empties it: all of it at once,
// at the cost of a few pointers. It is taken after the engine's lock.
type inbox[T, R any] struct {
	mu        shortlock.Mutex
	upTo      uint64 // the number of tasks below which one more is accepted without a second look
	submitted uint64
	tasks     queue[T, R]
	tickets   ticketCache[T, R]
	sampler   sampler
	ranks     []rank // of tasks, in a pool with keys or priorities
}

// ticketLocked returns the ticket of tasks that are submitted under ctx. It
// frees the lock for a while if there is none yet.
func (in *inbox[T, R]) ticketLocked(ctx context.Context, c *core) *ticket[T, R] {
	if t := in.tickets.last; identical(in.tickets.under, ctx) {
		return t
	}
	t := in.tickets.find(ctx)
	if t == nil {
		in.mu.Unlock()
		point.At("pool: submitter before it makes a ticket")
		life := c.life(ctx)
		t = &ticket[T, R]{ctx: life, mortal: canEnd(life)}
		in.mu.Lock()
		in.tickets.add(ctx, t)
	}
	return t
}
