package inflight

import (
	"context"
	"runtime"
	"time"

	"github.com/tandemgo/tandem/internal/sched"
)

// A waiter is a caller that waits. Its goroutine links it into the ring, looks again after it
// has let others run, and parks on wake. The goroutine that takes it out sets err and then
// state, and signals a parked waiter, under mu. A waiter is used again unless its context has
// ended: then the signal may stay in wake.
type waiter struct {
	wake       chan struct{}
	weight     int
	rank       float64 // less goes first
	prev, next *waiter // in the ring
	err        error
	state      sched.Uint64
}

// The states of a waiter.
const waiting, parked, decided = 0, 1, 2

// wait lines up and parks until weight is granted.
func (l *Limiter) wait(ctx context.Context, weight int) error {
	rank := 0.0
	if l.priority != nil {
		rank = float64(time.Since(l.base)) - float64(l.priority(ctx))*l.ageing
	}
	w, err := l.lineUp(weight, rank)
	if err != nil {
		return err
	}
	for range sched.Spins(1) {
		runtime.Gosched()
	}
	if w.state.CompareAndSwap(waiting, parked) {
		sched.ParkCtx(ctx, w.wake)
	}
	if sched.Err(ctx) == nil {
		err := w.err
		l.spare.Put(w)
		return err
	}
	l.mu.Lock()
	defer l.unlock()
	if w.state.Load() != decided {
		l.remove(w)
	} else if w.err == nil {
		l.word.Add(uint64(weight) << 1) // the grant goes to the next one
	}
	return context.Cause(ctx)
}

// lineUp links a waiter into the ring, behind all that do not go after it.
func (l *Limiter) lineUp(weight int, rank float64) (*waiter, error) {
	l.mu.Lock()
	defer l.unlock()
	if err := l.refuses(weight); err != nil {
		return nil, err
	}
	w := l.spare.Get().(*waiter)
	w.state.Store(waiting)
	w.weight, w.rank, w.prev = weight, rank, l.line.prev
	for w.prev.rank > w.rank {
		w.prev = w.prev.prev
	}
	w.next = w.prev.next
	w.prev.next, w.next.prev = w, w
	l.waiting++
	l.waits++
	l.word.Or(slow)
	return w, nil
}

func (l *Limiter) remove(w *waiter) {
	w.prev.next, w.next.prev = w.next, w.prev
	l.waiting--
}

// unlock grants free weight to the callers in front, refuses those that will never be
// granted, clears the slow bit if nothing needs it, and unlocks mu. A caller that was granted
// needs no lock, so it is woken under this one.
func (l *Limiter) unlock() {
	for w := l.line.next; w != &l.line; w = l.line.next {
		if w.err = l.refuses(w.weight); w.err == nil {
			if freeOf(l.word.Load()) < w.weight {
				break
			}
			l.word.Add(-uint64(w.weight) << 1)
		}
		l.remove(w)
		if w.state.Swap(decided) == parked {
			sched.Signal(w.wake)
		}
	}
	if l.waiting == 0 && !l.closed && l.word.Load()&slow != 0 {
		l.word.And(^uint64(slow))
	}
	l.mu.Unlock()
}
