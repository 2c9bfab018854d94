// Package stage provides the workers of a stage between two rings of package spsc, and
// what else the goroutines of a pipeline or a fan share: a mutex that may be held over a
// wait, a clock, a group, and a hook for the end of a context.
package stage

import (
	"context"

	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/shortlock"
	"github.com/tandemgo/tandem/internal/spsc"
)

// Workers are a number of goroutines between two rings. Each takes an item, works on it,
// and sends the result, in the order of the items or as it is ready.
//
// One lock guards everything. A worker takes it once for each item: to complete the item
// before and to take the next one. A worker takes an item only when out has room for its
// result, so a result never waits for room. An ordered result can be received as soon as
// those before it are there. The capacity of out therefore bounds the number of items that
// are in work or have results that wait.
//
// Park and wake. Workers without work park on wake, a channel of capacity 1 that both
// rings signal. A worker that has taken an item wakes the next one if there is work for
// it, or arms a ring to do so. One signal is therefore enough, and at most one worker is
// on its way out of a park. If none is parked, the worker starts one more, up to size. It
// leaves all this to a worker that waits for the lock, if there is one: items are then so
// cheap that one more worker would only stand in the way.
type Workers[In, Out any] struct {
	// Set before the first Next.
	in      *spsc.Ring[In]
	out     *spsc.Ring[Out] // nil if items have no results
	size    int
	ordered bool
	spawn   func() // starts one more

	// Prepare, if set, makes the result of an item when a worker takes it, and the result
	// is sent then. It is called under the lock. The workers must not be ordered, and no
	// Job must have Keep set.
	Prepare func() Out
	// End, if set, is called at the end, when all items are done.
	End func()
	// Order, if set, decides which items must wait for others. The workers must not be
	// ordered. It is called under the lock.
	Order Order[In]
	// How long workers were parked for want of items, and of room; may be nil.
	Waits, Blocks *Clock

	wake chan struct{}

	lockers sched.Uint64 // workers that wait for mu

	mu       shortlock.Mutex
	started  int
	idle     int  // parked, or about to park
	waking   bool // one of these was woken and has not come yet
	over     bool // the end was passed on
	claimed  uint64
	settled  uint64       // unordered: results sent; ordered: of the front
	pending  []place[Out] // ordered: of items settled … claimed-1, by number modulo its length
	released []In         // by Order, and not taken yet
}

// An Order has some items wait for others.
type Order[In any] interface {
	// Enter reports whether the work on an item that has come may begin. Otherwise Leave
	// returns the item when its turn has come.
	Enter(In) bool
	// Leave is called when the work on an item has ended.
	Leave(In) (next In, ok bool)
}

// A place is where a result waits for its turn.
type place[Out any] struct {
	value       Out
	there, keep bool
}

// A Job is an item in the hands of a worker.
type Job[In, Out any] struct {
	Item   In
	Result Out
	Keep   bool // Result is to be sent
	number uint64
	open   bool
}

// Number returns the number of the item among those that the workers have taken, from 0,
// unless there is an Order.
func (j *Job[In, Out]) Number() int { return int(j.number) }

// New returns workers of which the caller starts the first and spawn any other.
func New[In, Out any](in *spsc.Ring[In], out *spsc.Ring[Out], size int, ordered bool, spawn func()) *Workers[In, Out] {
	w := &Workers[In, Out]{in: in, out: out, size: size, ordered: ordered, spawn: spawn, started: 1, wake: make(chan struct{}, 1)}
	in.ParkOn(nil, w.wake)
	if out != nil {
		out.ParkOn(w.wake, nil)
		if ordered {
			w.pending = make([]place[Out], spsc.Base)
		}
	}
	return w
}

// Drain calls fn with each result that waits for its turn, in order. It is called when
// all workers have ended.
func (w *Workers[In, Out]) Drain(fn func(Out)) {
	for n := w.settled; n < w.claimed && len(w.pending) > 0; n++ {
		if p := w.pending[n%uint64(len(w.pending))]; p.there && p.keep {
			fn(p.value)
		}
	}
}

// Next completes the item of j, if it has one, and takes the next one. It waits for an
// item and for room in out, until the end, which is ok == false, or until ctx ends, which
// is an error. The rings must be woken then.
func (w *Workers[In, Out]) Next(ctx context.Context, j *Job[In, Out]) (ok bool, err error) {
	w.lock()
	if j.open {
		w.complete(j)
	}
	for parked := false; !parked || sched.Err(ctx) == nil; {
		switch {
		case len(w.released) == 0 && !w.fits():
			if parked = w.out.ArmPush(w.working() + 1); parked {
				w.park(ctx, w.Blocks)
			}
		case w.claim(j):
			another := w.another()
			w.mu.Unlock()
			if another {
				w.spawn()
			}
			return true, nil
		case w.in.Ended():
			last := w.leave()
			w.mu.Unlock()
			if last && w.End != nil {
				w.End()
			}
			return false, nil
		default:
			if parked = w.in.ArmPop(); parked {
				w.park(ctx, w.Waits)
			}
		}
	}
	if w.idle > 0 {
		sched.Signal(w.wake)
	}
	w.mu.Unlock()
	return false, context.Cause(ctx)
}

// lock locks mu.
func (w *Workers[In, Out]) lock() {
	if !w.mu.TryLock() {
		w.lockers.Add(1)
		w.mu.Lock()
		w.lockers.Add(^uint64(0))
	}
}

// working returns how many results have their room in out reserved.
func (w *Workers[In, Out]) working() int {
	if w.Prepare != nil {
		return 0
	}
	return int(w.claimed - w.settled)
}

// fits reports whether there is room for one more result.
func (w *Workers[In, Out]) fits() bool { return w.out == nil || w.out.Fits(w.working()+1) }

// claim takes an item if there is one that may begin, and there is room for the results of
// those that come before it and must wait.
func (w *Workers[In, Out]) claim(j *Job[In, Out]) (ok bool) {
	if n := len(w.released); n > 0 {
		var none In
		j.Item, j.open = w.released[0], true
		copy(w.released, w.released[1:])
		w.released[n-1] = none
		w.released = w.released[:n-1]
		return true
	}
	for {
		if j.Item, ok = w.in.TryPop(); !ok {
			return false
		}
		j.number, j.open = w.claimed, true
		w.claimed++
		switch {
		case w.Prepare != nil:
			j.Result = w.Prepare()
			w.out.PushAnyway(j.Result)
		case w.Order != nil && !w.Order.Enter(j.Item):
			if *j = (Job[In, Out]{}); !w.fits() {
				return false
			}
			continue
		case w.ordered && w.out != nil && int(w.claimed-w.settled) > len(w.pending):
			w.widen()
		}
		return true
	}
}

// widen makes room in pending: out has grown.
func (w *Workers[In, Out]) widen() {
	wide := make([]place[Out], 2*len(w.pending))
	for n := w.settled; n < w.claimed-1; n++ {
		wide[n%uint64(len(wide))] = w.pending[n%uint64(len(w.pending))]
	}
	w.pending = wide
}

// complete sends the result of j, or has it wait for its turn, and frees j.
func (w *Workers[In, Out]) complete(j *Job[In, Out]) {
	result, keep, number := j.Result, j.Keep, j.number
	if w.Order != nil {
		if next, ok := w.Order.Leave(j.Item); ok {
			w.released = append(w.released, next)
		}
	}
	*j = Job[In, Out]{}
	switch {
	case w.pending == nil:
		w.send(result, keep)
	case number != w.settled:
		w.pending[number%uint64(len(w.pending))] = place[Out]{result, true, keep}
	default:
		w.send(result, keep)
		for w.settled < w.claimed {
			p := &w.pending[w.settled%uint64(len(w.pending))]
			if !p.there {
				break
			}
			w.send(p.value, p.keep)
			*p = place[Out]{}
		}
	}
}

func (w *Workers[In, Out]) send(result Out, keep bool) {
	w.settled++
	if keep && w.out != nil {
		w.out.PushAnyway(result)
	}
}

// park waits for a signal, without the lock.
func (w *Workers[In, Out]) park(ctx context.Context, clock *Clock) {
	w.idle++
	w.mu.Unlock()
	clock.Turn(1)
	if sched.Err(ctx) == nil { // the rings may have been woken before
		sched.Park(w.wake)
	}
	clock.Turn(-1)
	w.lock()
	w.idle--
	w.waking = false
}

// another wakes the next worker or arms a ring to do so. It reports whether one must be
// started instead: there is one worker more than items, so that one can be woken.
func (w *Workers[In, Out]) another() (start bool) {
	if w.lockers.Load() > 0 {
		return false
	}
	if w.idle == 0 {
		start = w.started < w.size
		if start {
			w.started++
		}
		return start
	}
	for !w.waking {
		switch {
		case len(w.released) > 0 || w.fits() && w.in.More():
			w.waking = true
			sched.Signal(w.wake)
		case !w.fits():
			if w.out.ArmPush(w.working() + 1) {
				return false
			}
		case w.in.Ended() || w.in.ArmPop():
			return false
		}
	}
	return false
}

// leave is called by each worker at the end, and reports whether all items are done as of
// now.
func (w *Workers[In, Out]) leave() (last bool) {
	if w.idle > 0 {
		sched.Signal(w.wake)
	}
	if w.over || w.claimed != w.settled {
		return false
	}
	w.over = true
	if w.out != nil {
		w.out.Close()
	}
	return true
}
