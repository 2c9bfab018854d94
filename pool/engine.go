package pool

import (
	"context"
	"time"

	"github.com/tandemgo/tandem/internal/fifo"
	"github.com/tandemgo/tandem/internal/point"
)

// The engine decides what runs when.
//
// Data. Accepted tasks wait by value in one queue behind one lock. A worker
// takes several at once into a batch of its own, and from there claims one
// after the other without the lock. What it has not claimed others can take: an
// idle worker when the queue is empty, and any worker when it sees a batch that
// has not moved for long, so that no task is stuck behind a slow one. A task
// that is waited for has a ticket besides, which can be claimed out of its
// place by a waiter or by who cancels it.
//
// Who may touch what. The lock guards all that has no other rule; the rules are
// those of tally (a worker's batch and counts), receiver (claimed tasks) and
// taskContext. No user code runs under the lock, methods of the user's contexts
// included, and nothing blocks under it.
//
// Park and wake. A worker parks on its own channel of capacity 1, after it
// has put itself on the idle stack under the lock at which it found no task;
// whoever takes it off the stack owes it exactly one send, which therefore
// never blocks. At most one worker is on the way from there to its first look
// at a time; when it finds something and there is more, it rouses the next. A
// submitter parks likewise on a channel it makes itself, after it has set
// crowded and looked for room once more; workers look at crowded after each
// task that they have counted. Whoever takes a submitter off the list decides
// its fate first, accepted or closed. Before a submitter parks it gives way to
// other goroutines a few times, which as a rule makes room for many tasks.
//
// Rejected: a queue for each worker, filled at random, with a lock each and
// the same batches. It had no order, and cost 1.8 times as much with one
// submitter and 1.4 times as much with 64, on two cores.
type engine[T, R any] struct {
	fn     Func[T, R]
	opener func(context.Context) (Func[T, R], func() error, error) // of NewStateful; nil without state

	core
	tasks   queue[T, R]     // what workers take from
	samples []sample        // of tasks
	workers []*worker[T, R] // those of core.seats
	takes   uint64          // batches filled
	turn    int             // of the worker whose batch is looked at
	blocked fifo.List[*submitter[T, R]]

	handsBack bool         // Stop has been called
	orphans   []item[T, R] // tasks that a worker had claimed by then and has not started
	order     *order[T, R] // instead of tasks; nil unless WithKey or WithPriority

	_  [64]byte
	in inbox[T, R]
	_  [64]byte
}

func newEngine[T, R any](workers int, o options, order *order[T, R]) *engine[T, R] {
	e := &engine[T, R]{order: order, core: core{options: o, base: time.Now(), limit: workers, inside: make(map[uint64]place)}}
	e.ctx = newPoolContext(o.root)
	e.unwatch = func() bool { return true }
	if e.ctx.rootEnd != nil {
		stop := context.AfterFunc(o.root, func() {
			point.At("pool: before its context ends it")
			cause := context.Cause(o.root)
			_, dropped := e.abort(e.rootError(), cause)
			point.At("pool: before it gives up its queue")
			e.giveUpAll(dropped, cause)
			e.tellAll(dropped, cause)
		})
		e.mu.Lock() // the function above may be running already
		e.unwatch = stop
		e.mu.Unlock()
	}
	return e
}

// A wakeUp is who is to be woken once the lock is free.
type wakeUp[T, R any] struct {
	seat       *seat
	submitters *submitter[T, R]
}

func (w wakeUp[T, R]) do() {
	w.seat.rise()
	for s := w.submitters; s != nil; {
		point.At("pool: before a submitter is woken")
		next := s.next
		s.wake <- struct{}{}
		s = next
	}
}

// drop resolves task i of to with cause if it has not started, and reports
// whether it was so.
func (e *engine[T, R]) drop(to receiver[T, R], i int, cause error) bool {
	point.At("pool: before a task is dropped")
	if _, ok := to.claim(i); !ok {
		return false
	}
	point.At("pool: before a dropped task is counted")
	e.dropped(1)
	var zero R
	point.At("pool: before a dropped task settles")
	to.settle(i, zero, cause)
	return true
}

// dropped counts n tasks that have been claimed as cancelled.
func (e *engine[T, R]) dropped(n int) {
	e.lock()
	e.cancelled += uint64(n)
	e.departed += uint64(n)
	w := e.vacateLocked(n)
	e.mu.Unlock()
	w.do()
}

// vacateLocked counts n places in the queue whose tasks have been claimed away.
// Workers skip them as they come to them; when they are most of the queue they
// are removed, so that its size is bounded by what is waiting.
func (e *engine[T, R]) vacateLocked(n int) wakeUp[T, R] {
	const few = 64
	e.dead += n
	if e.dead > few && e.order == nil {
		e.in.mu.Lock()
		for _, q := range []*queue[T, R]{&e.tasks, &e.in.tasks} {
			if e.dead > (e.tasks.n+e.in.tasks.n)/2 {
				e.dead -= q.compact()
			}
		}
		e.in.mu.Unlock()
	}
	return e.admitLocked()
}

// tellAll tells the error handler of tasks that will not run. It does so on another
// goroutine, since the caller's has labels of its own.
func (e *engine[T, R]) tellAll(dropped []item[T, R], cause error) {
	if e.onError == nil || len(dropped) == 0 {
		return
	}
	told := make(chan struct{})
	go func() {
		defer close(told)
		for _, it := range dropped {
			if it.ticket.to == nil {
				e.tell(it.ticket, cause, e.newTaskContext(it.ticket.ctx, false, -1))
			}
		}
	}()
	<-told
}

// giveUpAll publishes that tasks which the caller has claimed will not run.
func (e *engine[T, R]) giveUpAll(dropped []item[T, R], cause error) {
	var zero R
	for _, it := range dropped {
		if t := it.ticket; t.to != nil {
			t.to.settle(t.index(it.seq), zero, cause)
		}
	}
}

func (e *engine[T, R]) stats() Stats {
	e.mu.Lock()
	e.in.mu.Lock()
	s := Stats{
		Limit: e.limit, Workers: e.live,
		Queued: e.tasks.n + e.in.tasks.n - e.dead, Waiting: e.waiting, Blocked: e.blocked.Len(),
		Submitted: e.in.submitted, Completed: e.completed, Failed: e.failed, Cancelled: e.cancelled,
	}
	if e.order != nil {
		s.Queued += e.order.len() + e.order.held
	}
	for _, seat := range e.seats {
		w := seat.tally.word.Load() // once, so that the sums agree
		s.Queued += part(w, oneTail) - part(w, oneHead) + part(w, oneSkipped)
		s.Running += part(w, oneRunning)
		s.Completed += uint64(part(w, oneCompleted))
		s.Failed += uint64(part(w, oneFailed))
		s.Cancelled += uint64(part(w, oneCancelled))
	}
	e.in.mu.Unlock()
	e.mu.Unlock()
	if s.Queued < 0 { // workers are at places whose task was claimed away
		s.Running, s.Queued = s.Running+s.Queued, 0
	}
	s.QueueWait, s.RunTime = e.waits.histogram(), e.runs.histogram()
	return s
}
