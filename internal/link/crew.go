package link

import (
	"context"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/point"
	"github.com/tandemgo/tandem/internal/shortlock"
)

// A Crew is a number of goroutines between two links: each takes an item, works
// on it, and puts what comes of it on the way, in the order of the items or as
// it is ready.
//
// One lock guards everything, and a worker takes it once an item: to put its
// result down and to take the next item. An item is handed out only when there
// is room for its result on the link behind, so that a result never waits for
// room: what has been worked on can be received, in order as soon as what is
// before it is there. The number of items in work or waiting for their turn is
// thereby bounded by the capacity of that link.
//
// Park and wake. Workers that have nothing to do park on wake, a channel of
// capacity 1 on which the links signal an item and room alike. A worker that
// has taken an item sees to it that the next one is woken if there is work for it,
// or else that a link will do it; so one signal is enough, and at most one
// worker is on its way from sleep. If none is parked, it starts one more, until
// there are as many as there may be.
type Crew[In, Out any] struct {
	// Set before the first Turn.
	in      *Link[In]
	out     *Link[Out] // nil if nothing comes of the items
	size    int        // how many workers there may be
	ordered bool
	spawn   func() // starts one more

	// Prepare, if set, makes the Result of an item as it is handed out, and it is
	// put on the way then. It is called under the lock.
	Prepare func() Out
	// End, if set, is called at the end, when all items are done.
	End func()
	// How long workers were parked for want of items, and of room, may be nil.
	Waits, Blocks *Clock

	wake chan struct{}

	mu      shortlock.Mutex
	started int
	idle    int  // parked, or about to be
	rousing bool // one of them has been woken and is not here yet
	over    bool // the end has been passed on
	claimed uint64
	settled uint64       // unordered: results put down; ordered: of the front
	pending []place[Out] // ordered: of items settled … claimed-1, by number modulo its length
}

// A place is where a result waits for its turn.
type place[Out any] struct {
	value       Out
	there, keep bool
}

// A Job is a worker's piece of work. It stays the worker's own.
type Job[In, Out any] struct {
	Item   In
	Result Out
	Keep   bool // Result is to be put on the way
	number uint64
	open   bool
}

// Number returns the number of the item among those that the crew has taken, from 0.
func (j *Job[In, Out]) Number() int { return int(j.number) }

// Drain calls fn with each result that waits for its turn, in order. It is called when
// all workers have ended.
func (c *Crew[In, Out]) Drain(fn func(Out)) {
	for n := c.settled; n < c.claimed && len(c.pending) > 0; n++ {
		if p := c.pending[n%uint64(len(c.pending))]; p.there && p.keep {
			fn(p.value)
		}
	}
}

// NewCrew returns a crew of size workers, of which the caller starts the first
// and spawn any other.
func NewCrew[In, Out any](in *Link[In], out *Link[Out], size int, ordered bool, spawn func()) *Crew[In, Out] {
	c := &Crew[In, Out]{in: in, out: out, size: size, ordered: ordered, spawn: spawn, started: 1, wake: make(chan struct{}, 1)}
	in.Wakers(nil, c.wake)
	in.sharedBy = true
	if out != nil {
		out.Wakers(c.wake, nil)
		out.sharedTo = true
		if ordered {
			c.pending = make([]place[Out], Base)
		}
	}
	return c
}

// Turn puts the result of j down, if it has an item, and hands it the next one.
// It waits for an item and for room behind, until the end, which is ok ==
// false, or until ctx has ended, which is an error.
func (c *Crew[In, Out]) Turn(ctx context.Context, j *Job[In, Out]) (ok bool, err error) {
	point.At("crew: before its turn")
	c.mu.Lock()
	if j.open {
		c.settle(j)
	}
	for {
		switch {
		case ctx.Err() != nil:
			if c.idle > 0 {
				ctxselect.Signal(c.wake)
			}
			c.mu.Unlock()
			return false, context.Cause(ctx)
		case !c.fits():
			point.At("crew: before it says that it waits for room")
			if !c.out.ArmSender(c.working() + 1) {
				continue
			}
			c.park(ctx, c.Blocks)
		case c.claim(j):
			another := c.another()
			c.mu.Unlock()
			if another {
				point.At("crew: before it starts another")
				c.spawn()
			}
			return true, nil
		case c.in.Ended():
			last := c.leave()
			c.mu.Unlock()
			if last && c.End != nil {
				point.At("crew: before it says that all is done")
				c.End()
			}
			return false, nil
		case c.in.ArmReceiver():
			c.park(ctx, c.Waits)
		}
	}
}

// working returns how many places behind are taken by items in work.
func (c *Crew[In, Out]) working() int {
	if c.Prepare != nil {
		return 0
	}
	return int(c.claimed - c.settled)
}

// fits reports whether there is room for one more result.
func (c *Crew[In, Out]) fits() bool { return c.out == nil || c.out.Fits(c.working()+1) }

func (c *Crew[In, Out]) claim(j *Job[In, Out]) (ok bool) {
	if j.Item, ok = c.in.Next(); !ok {
		return false
	}
	j.number, j.open = c.claimed, true
	c.claimed++
	switch {
	case c.Prepare != nil:
		j.Result = c.Prepare()
		c.out.push(j.Result)
	case c.ordered && c.out != nil && int(c.claimed-c.settled) > len(c.pending):
		c.widen()
	}
	return true
}

// widen makes room in pending: the link behind has grown.
func (c *Crew[In, Out]) widen() {
	wide := make([]place[Out], 2*len(c.pending))
	for n := c.settled; n < c.claimed-1; n++ {
		wide[n%uint64(len(wide))] = c.pending[n%uint64(len(c.pending))]
	}
	c.pending = wide
}

// settle puts the result of j down and frees j.
func (c *Crew[In, Out]) settle(j *Job[In, Out]) {
	var item In
	var none Out
	v, keep := j.Result, j.Keep
	j.Item, j.Result, j.Keep, j.open = item, none, false, false
	switch {
	case c.Prepare != nil || c.out == nil:
		c.settled++
	case !c.ordered:
		c.settled++
		if keep {
			c.out.push(v)
		}
	case j.number == c.settled: // nothing waits behind it, or all that does follows it
		c.settled++
		if keep {
			c.out.push(v)
		}
		for c.settled < c.claimed {
			p := &c.pending[c.settled%uint64(len(c.pending))]
			if !p.there {
				break
			}
			if p.keep {
				c.out.push(p.value)
			}
			*p = place[Out]{}
			c.settled++
		}
	default:
		c.pending[j.number%uint64(len(c.pending))] = place[Out]{v, true, keep}
	}
}

// park waits for a signal, without the lock.
func (c *Crew[In, Out]) park(ctx context.Context, clock *Clock) {
	c.idle++
	c.mu.Unlock()
	clock.start()
	c.in.park(ctx, c.wake, nil)
	clock.stop()
	c.mu.Lock()
	c.idle--
	c.rousing = false
}

// another sees to it that the next worker is woken, now or by a link, and
// reports whether one is to be started instead: one more than there are items,
// so that there is somebody to be woken.
func (c *Crew[In, Out]) another() (start bool) {
	if c.idle == 0 {
		start = c.started < c.size
		if start {
			c.started++
		}
		return start
	}
	for !c.rousing {
		switch {
		case !c.fits():
			if c.out.ArmSender(c.working() + 1) {
				return false
			}
		case c.in.More():
			c.rousing = true
			ctxselect.Signal(c.wake)
		case c.in.Ended() || c.in.ArmReceiver():
			return false
		}
	}
	return false
}

// leave is called by each worker at the end, and reports whether all items are
// done as of now.
func (c *Crew[In, Out]) leave() (last bool) {
	if c.idle > 0 {
		ctxselect.Signal(c.wake)
	}
	if c.over || c.claimed != c.settled {
		return false
	}
	c.over = true
	if c.out != nil {
		c.out.Close()
	}
	return true
}
