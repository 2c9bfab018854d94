package fan

import (
	"context"
	"time"

	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/sched"
)

// A parallelFor calls functions for the elements 0 … size-1 on up to n goroutines. The
// calling goroutine is one of these workers.
//
// # Runs
//
// A worker claims a run of neighbouring elements by one atomic addition to next, and
// reads one word, signal, for each element. The length of a run follows from the cost of
// the last elements: a run is worth at most budget, and elements that take longer than
// dear are claimed one by one, as are all elements under a clock that stands still.
// Towards the end runs get short: guided self-scheduling, after C. D. Polychronopoulos
// and D. J. Kuck, IEEE Transactions on Computers C-36 (1987). A Reduce claims at least
// floor elements at once, so that it has few values to merge.
//
// # Rests
//
// The elements that a worker has claimed and not put into a run are its rest. An idle
// worker steals the back half of a rest. Only the worker itself knows which elements of
// its run it has begun: to let others take them would need a memory fence for each
// element (H. Attiya and others, Laws of Order, POPL 2011). So, if an element of a run
// proves slow, the elements behind it stay with the worker until it returns. They become
// a rest then: a worker that finds nothing to do starts the alarm, which sets share
// after patience, and from then on all runs have one element.
//
// # Workers
//
// To start a goroutine costs as much as hundreds of cheap elements. The caller therefore
// works alone for patience. A timer starts the second worker if an element keeps the
// caller from looking at its clock. Each worker starts the next one after its first
// claim. A worker that finds nothing to do ends. It takes itself off workers and looks
// for rests under mu, and a worker that makes a rest later finds the alarm under mu and
// starts another worker: no rest waits while there are fewer than n workers.
type parallelFor struct {
	calls
	body   body
	size   int
	n      int
	floor  int
	timer  *time.Timer // starts the second worker; nil once that is done
	late   time.Duration
	first  worker
	signal sched.Uint64

	next    sched.Uint64 // the first element that is not claimed
	workers sched.Uint64 // changed under mu
	mu      sched.Mutex
	rests   []*rest       // all that are not empty, and some that are
	err     error         // the first one
	alarm   *time.Timer   // sets share
	gone    chan struct{} // signalled when workers gets 0; nil if nothing waits for that
}

// A body is the work of a parallelFor.
type body interface {
	// part returns the part of the work that a new worker does. It is called by
	// that worker.
	part() part
}

// A part is a worker's part of the work.
type part interface {
	// run calls the function for the elements lo … hi-1, in their order. Before each call
	// it stores the index of the element behind it in *at. It returns early if the
	// caller's context has ended, if the function fails, or if signal is not 0 after an
	// element. The error is that of the function.
	run(at *int, lo, hi int) error
}

// A worker is the state of one goroutine. No other one has access to it, except to rest.
type worker struct {
	part   part
	labels labels
	at     int // the element behind the last one that was begun
	grain  int // the most elements of the next run
	since  int // elements done since the last reading of the clock
	enough int // elements to do between two readings
	last   time.Duration
	rest   rest
	shares bool // the rest was not empty when the worker last looked
}

// A rest is the elements lo … hi-1. It is guarded by mu.
type rest struct {
	lo, hi int
}

// Bits of signal.
const (
	stop  = 1 << iota // no element may begin
	share             // each run has one element
)

const (
	patience = 20 * time.Microsecond // how long the caller works alone
	dear     = time.Microsecond      // an element that takes longer is claimed alone
	budget   = 8 * time.Microsecond  // what a run of cheaper elements is worth
	sample   = 8                     // elements to one reading of the clock
)

// epoch is the origin of the clock. In a bubble of testing/synctest, whose clock begins
// in the year 2000, readings are negative.
var epoch = time.Now()

func now() time.Duration { return time.Since(epoch) }

// do does all of the work.
func (f *parallelFor) do(ctx context.Context, n, size int, b body) (err error) {
	f.Context, f.ends, f.size = ctx, ctx.Done() != nil, size
	if f.ends && sched.Err(ctx) != nil {
		f.err = context.Cause(ctx)
		return f.failure()
	}
	if size == 0 {
		return nil
	}
	f.n, f.body = min(n, size), b
	f.workers.Store(1)
	w := &f.first
	w.grain = size
	defer func() { // also if the function ends the caller by a Goexit
		f.end()
		err = f.failure()
	}()
	if f.n > 1 {
		w.grain, w.enough, w.last = 1, 1, now()
		if f.late = w.last + patience; f.late < 0 { // in a bubble: its clock moves when all goroutines wait
			f.help()
		} else {
			sched.Opaque("a timer is to start the second worker")
			f.timer = time.AfterFunc(patience, f.help)
		}
	}
	f.work(w)
	return nil
}

// help starts a worker if there is work for it. If there is none, it starts the alarm.
func (f *parallelFor) help() {
	f.mu.Lock()
	f.helpLocked()
	f.mu.Unlock()
}

func (f *parallelFor) helpLocked() {
	switch workers := f.workers.Load(); {
	case f.signal.Load()&stop != 0 || workers == 0 || workers >= uint64(f.n):
	case f.restLocked() != nil || f.next.Load() < uint64(f.size):
		f.workers.Add(1)
		go func() {
			defer f.leave() // also if the function ends the goroutine by a Goexit
			f.work(&worker{labels: inherit(f.Context), grain: 1, enough: sample, last: now()})
		}()
	case f.alarm == nil:
		sched.Opaque("the alarm starts")
		f.alarm = time.AfterFunc(patience, func() { f.signal.Or(share) })
	}
}

// leave takes a worker off the others.
func (f *parallelFor) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.workers.Add(^uint64(0)) == 0 && f.gone != nil {
		sched.Signal(f.gone)
	}
	f.helpLocked()
}

// end takes the caller off the workers, waits for the others and ends the context of the
// functions. A timer that goes off later finds no worker, and does nothing.
func (f *parallelFor) end() {
	if f.timer != nil {
		f.timer.Stop()
	}
	f.mu.Lock()
	if f.workers.Add(^uint64(0)) > 0 {
		f.gone = make(chan struct{}, 1)
		f.helpLocked()
	}
	f.mu.Unlock()
	if f.gone != nil {
		sched.Park(f.gone)
	}
	if f.alarm != nil {
		f.alarm.Stop()
	}
	f.release()
}

// work is the loop of a worker.
func (f *parallelFor) work(w *worker) {
	w.part = f.body.part()
	for helps := w != &f.first; ; helps = false {
		lo, hi := f.claim(w)
		if lo == hi {
			return
		}
		if helps {
			f.help()
		}
		w.labels.set()
		w.at = lo
		f.enter(w, lo, hi)
		w.since += w.at - lo
		if w.since >= w.enough && hi < f.size && f.n > 1 {
			f.measure(w)
		}
	}
}

// measure decides on the length of the next run, by the cost of the last elements.
func (f *parallelFor) measure(w *worker) {
	now := now()
	spent, n := now-w.last, time.Duration(w.since)
	if spent <= 0 || spent > n*dear {
		w.grain = 1
	} else {
		w.grain = min(min(w.grain, 1<<20)*16, int(budget*n/spent))
	}
	w.since, w.enough, w.last = 0, max(sample, w.grain/4), now
	if w == &f.first && f.timer != nil && now > f.late {
		if f.timer.Stop() {
			f.help()
		}
		f.timer = nil
	}
}

// enter calls run of the worker's part. User code is entered once for a run: to guard against a panic costs
// more than a cheap element.
func (f *parallelFor) enter(w *worker, lo, hi int) {
	returned := false
	defer func() {
		if !returned {
			if r := recover(); r != nil {
				f.fail(w.at-1, outcome.Panicked(r))
			} else {
				f.fail(w.at-1, ErrGoexit)
			}
		}
		if w.at < hi {
			f.leaveOver(w, w.at, hi)
		}
	}()
	err := w.part.run(&w.at, lo, hi)
	returned = true
	if err != nil {
		f.fail(w.at-1, err)
	}
}

// fail ends the work with the error of an element, if that is the first error.
func (f *parallelFor) fail(index int, err error) {
	err = taskError(f.Context, index, outcome.Sound(err))
	f.mu.Lock()
	first := f.err == nil
	if first {
		f.err = err
	}
	f.signal.Or(stop)
	f.mu.Unlock()
	if first {
		f.makeOwn()
		f.cancel(err)
	}
}

// claim returns the next run of w, which is empty if there is nothing to do.
func (f *parallelFor) claim(w *worker) (lo, hi int) {
	if f.ends && sched.Err(f.Context) != nil {
		f.fail(0, context.Cause(f.Context))
	}
	signal := f.signal.Load()
	if signal&stop != 0 {
		return 0, 0
	}
	grain := w.grain
	if signal&share != 0 {
		grain = 1
	}
	left := f.size - int(f.next.Load())
	if w.shares || left <= 0 {
		if lo, hi = f.take(w, grain); lo < hi || left <= 0 {
			return lo, hi
		}
	}
	n := grain
	if workers := f.workers.Load(); workers > 1 {
		grain = max(1, min(grain, left/(2*int(workers))))
		n = max(grain, f.floor)
	}
	hi = int(f.next.Add(uint64(n)))
	if lo = hi - n; lo >= f.size {
		return f.take(w, grain)
	}
	if hi = min(hi, f.size); lo+grain < hi {
		f.leaveOver(w, lo+grain, hi)
		hi = lo + grain
	}
	return lo, hi
}

// leaveOver adds the elements lo … hi-1 to the rest of w, in front.
func (f *parallelFor) leaveOver(w *worker, lo, hi int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w.rest.lo == w.rest.hi {
		w.rest.hi = hi
		f.rests = append(f.rests, &w.rest)
	}
	w.rest.lo, w.shares = lo, true
	if f.alarm != nil {
		f.helpLocked()
	}
}

// take returns up to n elements of the rest of w, at the front. If that is empty, the back
// half of another rest becomes the rest of w first, and take returns one element.
func (f *parallelFor) take(w *worker, n int) (lo, hi int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := &w.rest
	if r.lo == r.hi {
		from := f.restLocked()
		if w.shares = from != nil; !w.shares {
			return 0, 0
		}
		*r = rest{from.lo + (from.hi-from.lo)/2, from.hi}
		from.hi = r.lo
		f.rests = append(f.rests, r)
		w.grain, n = 1, 1
	}
	lo = r.lo
	r.lo = min(lo+n, r.hi)
	return lo, r.lo
}

// restLocked returns a rest that is not empty, or nil.
func (f *parallelFor) restLocked() *rest {
	for last := len(f.rests) - 1; last >= 0; last-- {
		if r := f.rests[last]; r.lo < r.hi {
			return r
		}
		f.rests[last] = nil
		f.rests = f.rests[:last]
	}
	return nil
}
