package pool

import (
	"iter"
	"runtime"

	"github.com/tandemgo/tandem/internal/point"
)

// collectLocked takes what is on the stack.
func (g *Group[T, R]) collectLocked() (wake waiters) {
	stack := g.landed.Swap(0)
	if stack == 0 {
		return nil
	}
	g.heaps = append(g.heaps, stack)
	g.ended += int(stack >> 32)
	return g.wakeLocked() // what they need is another number now
}

// completions walks the indexes of the tasks in the order in which they end, as
// far as they have been issued when it comes to the end.
func (g *Group[T, R]) completions() iter.Seq[int] {
	return func(yield func(int) bool) {
		seen := 0
		for heap := 0; !(seen == g.count() && g.closeIf(seen)); heap++ {
			g.await(seen + 1)
			g.mu.Lock()
			stack := g.heaps[heap]
			g.mu.Unlock()
			order := make([]int, stack>>32)
			for i, at := len(order)-1, uint32(stack); i >= 0; i-- {
				order[i] = int(at) - 1
				at = g.slot(order[i]).next
			}
			for _, i := range order {
				seen++
				if !yield(i) {
					return
				}
			}
		}
	}
}

type waiters []chan struct{}

func (w waiters) close() {
	for _, ch := range w {
		point.At("pool: before a group's waiter is woken")
		close(ch)
	}
}

func (g *Group[T, R]) wakeLocked() waiters {
	wake := waiters(g.waiters)
	g.waiters = nil
	g.need.Store(0)
	return wake
}

// await returns when n tasks have ended. Inside a task of the pool it runs
// those that are still queued.
func (g *Group[T, R]) await(n int) {
	var at place
	var changed <-chan struct{} // what has to happen before it is worth to help again
	inside, known, yields := false, false, 0
	s := g.open.Load()
	if s == nil {
		return // closed: all have ended
	}
	if m := g.eng.mark(s); m != nil {
		at, inside, known, yields = place{int(m.worker), m}, true, true, waitYields
	}
	for {
		point.At("pool: group's waiter before it looks")
		g.mu.Lock()
		wake := g.collectLocked()
		there, queued := g.ended >= n, -1
		var more chan struct{}
		if !there && yields == waitYields {
			if inside || !known {
				queued = g.oldestQueuedLocked()
			}
			if queued < 0 || changed != nil {
				more = g.parkLocked(n - g.ended)
			}
		}
		g.mu.Unlock()
		wake.close()
		switch {
		case there:
			return
		case yields < waitYields:
			yields++
			runtime.Gosched()
		case more != nil:
			point.At("pool: group's waiter before it parks")
			select {
			case <-more:
			case <-changed:
				changed = nil
			}
		case queued < 0 || changed != nil:
			// What is waited for has come meanwhile.
		case inside:
			var acted bool
			if acted, changed = g.eng.lend(s.under, at, g.ticket(0), queued); !acted {
				point.At("pool: group's waiter gives way")
				runtime.Gosched() // a worker has it and is about to start it
			}
		default:
			at, inside = g.eng.within(s)
			known = true
		}
	}
}

// parkLocked returns a channel that is closed when need more tasks have ended,
// nil if they have.
func (g *Group[T, R]) parkLocked(need int) chan struct{} {
	point.At("pool: group's waiter before it says what it needs")
	if old := int(g.need.Load()); old == 0 || need < old {
		g.need.Store(int64(need))
	}
	point.At("pool: group's waiter before it looks again")
	if int(g.landed.Load()>>32) >= need {
		return nil
	}
	more := make(chan struct{})
	g.waiters = append(g.waiters, more)
	return more
}

// oldestQueuedLocked sets oldest to the first task that can be claimed, and
// returns -1 if there is none.
func (g *Group[T, R]) oldestQueuedLocked() int {
	for n := g.count(); g.oldest < n; g.oldest++ {
		if g.waits(g.oldest) {
			return g.oldest
		}
	}
	return -1
}

// closeIf closes the group if n indexes have been issued, and reports whether
// it is closed.
func (g *Group[T, R]) closeIf(n int) bool {
	g.eng.in.mu.Lock()
	defer g.eng.in.mu.Unlock()
	g.closed = g.closed || g.issued == n
	if g.closed {
		g.last = nil
	}
	return g.closed
}

// waitAll waits until all tasks have ended, and closes the group.
func (g *Group[T, R]) waitAll() {
	for n := g.count(); ; n = g.count() {
		g.await(n)
		point.At("pool: before a group closes")
		if g.closeIf(n) {
			if s := g.open.Swap(nil); s != nil {
				s.stop()
			}
			return
		}
	}
}
