package broadcast

import (
	"context"

	"github.com/tandemgo/tandem/internal/sched"
)

// A waiter is where a goroutine parks. It is used again and again, by one
// goroutine at a time. It knows nothing of the subscription that it belongs to:
// one that is left behind on a list keeps nothing alive.
type waiter struct {
	// wake has capacity 1. It is made by the goroutine that parks on it, so that
	// it belongs to the same testing/synctest bubble.
	wake chan struct{}

	// Guarded as the list is.
	at    int    // index in the list
	round uint64 // of the list, plus 1, when it was pushed

	peer *waiter // the next one of the same subscription that is parked; Subscription.mu
}

func newWaiter() *waiter { return &waiter{wake: make(chan struct{}, 1)} }

// park waits until w is woken or ctx has ended.
func (w *waiter) park(ctx context.Context) {
	if ctx.Done() == nil { // without a select it costs half
		sched.Park(w.wake)
		return
	}
	sched.ParkCtx(ctx, w.wake)
}

// A sleepers is a list of waiters. The owner's lock guards it. A waiter is on it
// once at most, and leaves it when its goroutine gives up, so that it does not
// grow while nothing happens.
type sleepers struct {
	list  []*waiter
	spare []*waiter // an empty slice to go on with when list is taken
	round uint64    // how often list was taken
}

// push adds w, unless it is there already.
func (l *sleepers) push(w *waiter) {
	if w.round == l.round+1 {
		return
	}
	w.at, w.round = len(l.list), l.round+1
	l.list = append(l.list, w)
}

// remove takes w off the list, if it is on it.
func (l *sleepers) remove(w *waiter) {
	if w.round != l.round+1 {
		return
	}
	end := len(l.list) - 1
	moved := l.list[end]
	l.list[w.at], moved.at = moved, w.at
	l.list[end] = nil
	l.list = l.list[:end]
	w.round = 0
}

// take empties the list and returns what was on it, to be woken when the lock is
// free, and given back.
func (l *sleepers) take() []*waiter {
	if len(l.list) == 0 {
		return nil
	}
	taken := l.list
	l.list, l.spare = l.spare, nil
	l.round++
	return taken
}

// giveBack takes a list back that has been woken.
func (l *sleepers) giveBack(list []*waiter) { l.spare = list[:0] }

// wakeAll wakes those on the list, and forgets them. (Tried: to wake two, each of
// which wakes two more. On two cores that is no faster for 100 that sleep and
// slower for 1,000, and one that gives up would have to do its part first.)
func wakeAll(list []*waiter) {
	for _, w := range list {
		sched.Signal(w.wake)
	}
	clear(list)
}
