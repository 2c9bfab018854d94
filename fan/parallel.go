package fan

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/point"
)

// A parallelFor calls functions for the elements 0 … size-1 on up to n
// goroutines. The calling goroutine is one of these workers.
//
// # Runs
//
// A worker claims a run of neighbouring elements at a time, by one atomic addition
// to next. It reads one word, signal, for each element. The first runs have one
// element. Then a worker reads its clock, and claims what is worth budget by the cost
// of the last elements, or one element if they took longer than dear. Under a clock
// that stands still every element is claimed alone. While there are several workers,
// runs also get short towards the end: guided self-scheduling, after C. D.
// Polychronopoulos and D. J. Kuck, IEEE Transactions on Computers C-36 (1987).
//
// An element of a run may still turn out to be slow, and only the worker itself knows
// which elements of its run it has begun: to let others take them away would need a
// memory fence for each element (H. Attiya and others, Laws of Order, POPL 2011). So
// the others wait until the slow one returns. Then the worker shares them.
//
// # Sharing
//
// A worker that finds nothing to claim steals the back half of what another one
// shares: its rest. If there is none the worker ends, and arms the alarm, which sets
// share after patience. A worker that sees share between two elements makes what is
// left of its run its rest. The worker of a Reduce that is not alone claims at least
// floor elements, and shares all but one run of them from the beginning, so that few
// parts have to be merged.
//
// A worker ends, or is not started, only while mu is held and there is no rest, and
// the alarm is made then. A worker that makes a rest after that sees the alarm, and
// starts another worker. So no rest waits while there are fewer than n workers.
//
// # Workers
//
// What takes less than patience needs no goroutine: to start one costs as much as
// hundreds of cheap elements. The caller starts the first worker when its own clock
// says that patience is over, and a timer does so if an element keeps the caller from
// looking. Under a simulated clock it is started at once. Each worker starts the next
// one when it has claimed something.
type parallelFor struct {
	signal atomic.Uint32
	ends   bool // the caller's context can end
	caller context.Context
	ctx    lazyContext
	body   body
	size   int
	n      int
	floor  int           // the least number of elements that one of several workers claims
	slices int           // twice the number of workers that can run at once
	timer  *time.Timer   // the caller's; nil once it is stopped
	late   time.Duration // when patience is over

	// On another cache line than signal, which is read for each element.
	next    atomic.Int64 // the first element that is not claimed
	workers atomic.Int32 // those that have not ended; changed under mu
	mu      sync.Mutex
	open    []*rest // those that are not empty
	err     error   // the first one
	wg      sync.WaitGroup

	alarm   *time.Timer // sets share; made when a worker has nothing to do, under mu
	ringing sync.WaitGroup
}

// A body is the work of a parallelFor.
type body interface {
	// part returns the part of the work that a new worker does. It is called by
	// that worker.
	part() part
}

// A part is a worker's part of the work.
type part interface {
	// run works on the elements lo … hi-1, one after the other, and then claims up to
	// more elements one by one and works on these. It returns how many it has done.
	// It returns early if the caller's context has ended, if a function fails, or if
	// signal is set behind an element.
	run(lo, hi, more int) (done int, err error)
}

// A worker is the state of one goroutine. No other one has access to it.
type worker struct {
	part   part
	labels labels        // none for the caller, which keeps its own
	grain  int           // the most elements of the next run
	since  int           // elements done since the last reading of the clock
	last   time.Duration // that reading
	rest   *rest         // nil if it has never had one
	shares bool          // it had one when it last looked
	caller bool
}

// A rest is what a worker shares. It is guarded by mu.
type rest struct {
	span
	index int // in open
}

// A span is the elements lo … hi-1.
type span struct{ lo, hi int }

// Bits of signal.
const (
	stop  = 1 << iota // no element is to be begun
	share             // what is left of a run is to be shared
)

// epoch is the origin of the clock. In a bubble of testing/synctest, whose clock
// begins in the year 2000, readings are negative.
var epoch = time.Now()

// now reads the clock.
func now() time.Duration { return time.Since(epoch) }

const (
	// patience is how long the caller works alone.
	patience = 20 * time.Microsecond
	// dear is what an element takes that is claimed alone.
	dear = time.Microsecond
	// budget is what a run of cheaper ones is worth.
	budget = 8 * time.Microsecond
	// sample is how many elements a reading of the clock is for, at least.
	sample = 8
)

// do does all of the work. After an error no element is begun. It returns the
// first error.
func (f *parallelFor) do(ctx context.Context, n, size int, b body) (err error) {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if size == 0 {
		return nil
	}
	f.caller, f.ctx.Context, f.ends = ctx, ctx, ctx.Done() != nil
	f.n, f.size, f.body = min(n, size), size, b
	f.workers.Store(1)
	defer func() { // also when a Goexit of the function ends the caller
		f.end()
		err = f.err
	}()
	w := worker{part: b.part(), grain: size, caller: true}
	if f.n > 1 {
		w.grain, w.last = 1, now()
		f.expect(w.last + patience)
	}
	f.work(&w)
	return nil
}

// expect sees to it that another worker is started when it is late.
func (f *parallelFor) expect(late time.Duration) {
	if f.late = late; late < 0 { // a simulated clock
		f.help(1)
		return
	}
	f.wg.Add(1)
	f.timer = time.AfterFunc(patience, func() {
		defer f.wg.Done()
		point.At("fan: before a worker joins")
		f.help(1)
	})
}

// help starts one more worker, unless there are n. Its first run has up to grain
// elements.
func (f *parallelFor) help(grain int) {
	point.At("fan: before it starts a worker")
	if int(f.workers.Load()) >= f.n { // a worker does not end while there is a rest
		return
	}
	f.mu.Lock()
	starts := false
	switch {
	case int(f.workers.Load()) >= f.n || f.signal.Load()&stop != 0:
	case len(f.open) > 0 || f.next.Load() < int64(f.size):
		starts = true
		if f.slices == 0 {
			f.slices = 2 * min(f.n, runtime.GOMAXPROCS(0))
		}
		f.workers.Add(1)
		f.wg.Add(1)
	default:
		f.needlessLocked()
	}
	f.mu.Unlock()
	if starts {
		f.spawn(grain)
	}
}

// needlessLocked notes that there is nothing to do for a worker.
func (f *parallelFor) needlessLocked() {
	if f.alarm == nil && f.workers.Load() > 0 {
		f.ringing.Add(1)
		f.alarm = time.AfterFunc(patience, func() {
			defer f.ringing.Done()
			f.signal.Or(share)
		})
	}
}

// spawn starts the goroutine of a worker.
func (f *parallelFor) spawn(grain int) {
	outcome.Spawn(func() {
		point.At("fan: a worker begins")
		if f.signal.Load()&stop == 0 { // so it is when this goroutine is in the place of one that has ended by a Goexit
			f.work(&worker{part: f.body.part(), labels: labelsOf(f.caller), grain: grain, last: now()})
		}
	}, f.wg.Done)
}

// end waits for all other workers and ends the context of the calls.
func (f *parallelFor) end() {
	f.disarm()
	point.At("fan: before it waits for workers")
	f.wg.Wait()
	if f.alarm != nil && !f.alarm.Stop() {
		f.ringing.Wait()
	}
	f.ctx.release()
}

// disarm stops the timer.
func (f *parallelFor) disarm() {
	if f.timer != nil && f.timer.Stop() {
		f.wg.Done()
	}
	f.timer = nil
}

// work claims runs until there is nothing more to do.
func (f *parallelFor) work(w *worker) {
	for helped := w.caller; ; {
		run, ok := f.claim(w)
		if !ok {
			return
		}
		if !helped {
			helped = true
			f.help(w.grain)
		}
		f.runAll(w, run)
	}
}

// claim returns the next run of w.
func (f *parallelFor) claim(w *worker) (run span, ok bool) {
	if f.ends && f.caller.Err() != nil {
		f.fail(context.Cause(f.caller))
	}
	if f.signal.Load()&stop != 0 {
		return span{}, false
	}
	if w.shares {
		if run, ok = f.own(w); ok {
			return run, true
		}
	}
	point.At("fan: before it claims")
	left := f.size - int(f.next.Load())
	if left <= 0 {
		return f.steal(w)
	}
	n := w.grain
	if f.workers.Load() > 1 {
		n = max(1, f.floor, min(n, left/f.slices))
	}
	run.lo = int(f.next.Add(int64(n))) - n
	if run.lo >= f.size {
		return f.steal(w)
	}
	run.hi = min(run.lo+n, f.size)
	if rest := run.lo + w.grain; rest < run.hi {
		f.share(w, span{rest, run.hi})
		run.hi = rest
	}
	return run, true
}

// runAll works on a run, until it has to share the rest.
func (f *parallelFor) runAll(w *worker, run span) {
	for run.lo < run.hi && f.signal.Load()&stop == 0 {
		w.labels.set()
		done := f.enter(w, run)
		w.since += done
		run.lo += min(done, run.hi-run.lo)
		if run.hi-run.lo > 1 && f.signal.Load()&share != 0 {
			w.grain = 1
			f.share(w, run)
			break
		}
	}
	if w.since >= max(sample, w.grain/4) && f.n > 1 {
		f.measure(w)
	}
}

// measure decides on the length of the next run, by what the last elements have
// cost.
func (f *parallelFor) measure(w *worker) {
	now := now()
	spent, n := now-w.last, time.Duration(w.since)
	w.grain = min(w.grain, 1<<20) * sample
	if spent <= 0 || spent > n*dear {
		w.grain = 1
	} else {
		w.grain = min(w.grain, int(budget*n/spent))
	}
	w.since, w.last = 0, now
	if w.caller && f.timer != nil && now > f.late {
		f.disarm()
		f.help(w.grain)
	}
}

// enter calls run of w's part, and returns how many elements that has done. User
// code is entered once for several elements: what it costs to guard against a panic
// is not paid for each.
func (f *parallelFor) enter(w *worker, run span) (done int) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if r := recover(); r != nil {
			f.fail(outcome.Panicked(r))
		} else {
			f.fail(ErrGoexit)
		}
	}()
	more := 0
	if w.grain == 1 && !w.shares && w.labels.ctx == nil && (f.floor <= 1 || f.workers.Load() == 1) {
		more = sample - 1
	}
	done, err := w.part.run(run.lo, run.hi, more)
	returned = true
	if err != nil {
		f.fail(err)
	}
	return done
}

// another claims one element. There is none at size and above.
func (f *parallelFor) another() (at int) {
	point.At("fan: before it claims another")
	return int(f.next.Add(1)) - 1
}

// share makes s the rest of w, in front of what it shares already.
func (f *parallelFor) share(w *worker, s span) {
	point.At("fan: before it shares")
	if w.rest == nil {
		w.rest = new(rest)
	}
	f.mu.Lock()
	needless := f.alarm != nil
	if r := w.rest; r.lo < r.hi {
		r.lo = s.lo
	} else {
		r.span, r.index = s, len(f.open)
		f.open = append(f.open, r)
	}
	f.mu.Unlock()
	w.shares = true
	if needless {
		f.help(1)
	}
}

// own takes a run from the rest of w.
func (f *parallelFor) own(w *worker) (run span, ok bool) {
	point.At("fan: before it takes of its own")
	f.mu.Lock()
	defer f.mu.Unlock()
	r := w.rest
	if r.lo == r.hi {
		w.shares = false
		return span{}, false
	}
	run = span{r.lo, min(r.lo+w.grain, r.hi)}
	r.lo = run.hi
	f.closeLocked(r)
	return run, true
}

// closeLocked takes r from open if it is empty.
func (f *parallelFor) closeLocked(r *rest) {
	if r.lo < r.hi {
		return
	}
	end := len(f.open) - 1
	last := f.open[end]
	f.open[r.index], last.index = last, r.index
	f.open[end] = nil
	f.open = f.open[:end]
}

// steal takes the back half of the largest rest. If there is none, the worker has
// ended.
func (f *parallelFor) steal(w *worker) (run span, ok bool) {
	point.At("fan: before it steals")
	f.mu.Lock()
	if len(f.open) == 0 {
		f.workers.Add(-1)
		f.needlessLocked()
		f.mu.Unlock()
		return span{}, false
	}
	from := f.open[0]
	for _, r := range f.open {
		if r.hi-r.lo > from.hi-from.lo {
			from = r
		}
	}
	half := span{from.lo + (from.hi-from.lo)/2, from.hi}
	from.hi = half.lo
	f.closeLocked(from)
	f.mu.Unlock()
	w.grain = 1
	run = span{half.lo, half.lo + 1}
	if run.hi < half.hi {
		f.share(w, span{run.hi, half.hi})
	}
	return run, true
}

// fail ends the work with err, if that is the first error.
func (f *parallelFor) fail(err error) {
	err = root(f.caller, err)
	point.At("fan: before it fails")
	f.mu.Lock()
	first := f.err == nil
	if first {
		f.err = err
	}
	f.signal.Or(stop)
	f.mu.Unlock()
	if first {
		point.At("fan: before it ends the context")
		f.ctx.cancel(err)
	}
}
