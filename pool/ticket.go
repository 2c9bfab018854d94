package pool

import (
	"context"
)

// A ticket is what the queue keeps beside a task: how to run it, and who gets
// its result. Tasks that follow each other share one where they can: those
// that no one waits for while they are submitted under the same context, and
// those of a group.
type ticket[T, R any] struct {
	ctx    context.Context // what the task lives under
	mortal bool            // ctx can end
	own    *running        // if the task can be cancelled on its own while it runs
	to     receiver[T, R]  // nil if no one waits for the task
	many   bool            // to keeps several tasks; otherwise it knows without base
	base   uint64          // the task with number seq in the queue is seq-base for to
}

// index returns what to calls the task with number seq in the queue.
func (t *ticket[T, R]) index(seq uint64) int {
	if !t.many {
		return 0
	}
	return int(int64(seq - t.base))
}

// A receiver keeps tasks that are waited for, and gets their results. It holds
// the task itself, and the queue only its place, so that whoever claims it has
// all of it: the worker whose turn it is, a waiter that runs it in place, or
// someone who cancels it. The claim is one compare-and-swap. The place stays
// behind, and the worker that comes to it skips it.
//
// None of the methods may block or run user code.
type receiver[T, R any] interface {
	// enter is called with the inbox locked when the task is accepted under a
	// number, and returns its ticket: last, that of the task before, if it will
	// do; nil if the receiver does not want the task any more.
	enter(seq uint64, task T, last *ticket[T, R]) *ticket[T, R]
	// claim takes task i and reports whether it was still to be had.
	claim(i int) (task T, ok bool)
	// waits reports whether task i can still be claimed.
	waits(i int) bool
	// settle is called once for each task that was claimed, without a lock held.
	settle(i int, v R, err error)
}

// The states of a task that receivers keep.
const (
	unclaimed uint32 = iota
	claimed
	settled
	grounded // not accepted yet, or not any more
)

// ticketCache finds the shared ticket of a context. It remembers the last few,
// so that submitters with a context each do not allocate; an idle engine
// remembers none.
type ticketCache[T, R any] struct {
	last   *ticket[T, R]
	under  context.Context // what last was asked for with, see core.life
	recent [8]cached[T, R]
	turn   int
}

type cached[T, R any] struct {
	under  context.Context
	ticket *ticket[T, R]
}

// find looks beyond last.
func (c *ticketCache[T, R]) find(ctx context.Context) *ticket[T, R] {
	for _, r := range &c.recent {
		if r.ticket != nil && identical(r.under, ctx) {
			c.last, c.under = r.ticket, r.under
			return r.ticket
		}
	}
	return nil
}

func (c *ticketCache[T, R]) add(ctx context.Context, t *ticket[T, R]) {
	c.last, c.under = t, ctx
	c.recent[c.turn] = cached[T, R]{ctx, t}
	c.turn = (c.turn + 1) % len(c.recent)
}

// clear forgets all but what holds nothing.
func (c *ticketCache[T, R]) clear() {
	if c.turn == 0 && c.recent[0].ticket == nil {
		return
	}
	t := c.find(context.Background())
	*c = ticketCache[T, R]{}
	if t != nil {
		c.add(context.Background(), t)
	}
}
