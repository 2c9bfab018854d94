package pool

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/fifo"
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
	orphans []item[T, R] // tasks that a worker had claimed when the engine was stopped
	order   *order[T, R] // instead of tasks; nil unless WithKey or WithPriority

	_  [64]byte
	in inbox[T, R]
	_  [64]byte
}

func newEngine[T, R any](workers int, o options, order *order[T, R]) *engine[T, R] {
	e := &engine[T, R]{order: order, core: core{options: o, base: time.Now(), limit: workers, inside: make(map[uint64]place)}}
	// It ends with the root by way of abort, which closes the engine first.
	e.ctx, e.end = context.WithCancelCause(context.WithoutCancel(o.root))
	e.unwatch = func() bool { return true }
	if o.root.Done() != nil {
		e.unwatch = context.AfterFunc(o.root, func() {
			cause := context.Cause(o.root)
			_, dropped := e.abort(fmt.Errorf("%w: %w", ErrClosed, cause), cause)
			e.giveUpAll(dropped, cause)
		})
	}
	return e
}

// A submitter is a call that waits for room.
type submitter[T, R any] struct {
	task   T
	ticket *ticket[T, R]  // of a task that no one waits for
	to     receiver[T, R] // of one that is waited for
	rank   rank
	wake   chan struct{}
	err    error            // set before wake
	next   *submitter[T, R] // in a wakeUp
}

// A wakeUp is who is to be woken once the lock is free.
type wakeUp[T, R any] struct {
	seat       *seat
	submitters *submitter[T, R]
}

func (w wakeUp[T, R]) do() {
	w.seat.rise()
	for s := w.submitters; s != nil; {
		next := s.next
		s.wake <- struct{}{}
		s = next
	}
}

// errRefused says that the receiver did not want the task.
var errRefused = errors.New("pool: refused")

// submit accepts a task or says why not. to gets its result, nil if no one waits
// for it. With wait it waits for room, unless nested, in which case it goes
// above the bound.
func (e *engine[T, R]) submit(ctx context.Context, task T, to receiver[T, R], wait, nested bool) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	in := &e.in
	in.mu.Lock()
	var t *ticket[T, R]
	if to == nil {
		if t = in.tickets.last; !identical(in.tickets.under, ctx) {
			t = in.ticketLocked(ctx, &e.core)
		}
	}
	if in.submitted >= in.upTo {
		in.mu.Unlock()
		return e.submitSlowly(ctx, task, t, to, wait, nested)
	}
	if !e.acceptLocked(task, t, to) {
		in.mu.Unlock()
		return errRefused
	}
	in.mu.Unlock()
	if e.drowsy.Load() {
		e.rouse()
	}
	return nil
}

// rouse sees to it that a worker looks at the inbox.
func (e *engine[T, R]) rouse() {
	e.mu.Lock()
	s := e.rouseLocked()
	e.mu.Unlock()
	s.rise()
}

// submitYields is how often a submitter gives way before it parks.
const submitYields = 8

func (e *engine[T, R]) submitSlowly(ctx context.Context, task T, t *ticket[T, R], to receiver[T, R], wait, nested bool) error {
	var r rank
	if e.order != nil {
		r = e.order.rank(task)
	}
	for try, known := 0, false; ; try++ {
		e.mu.Lock()
		e.in.mu.Lock()
		switch {
		case e.closed:
			defer e.mu.Unlock()
			e.in.mu.Unlock()
			e.forgetLocked(r)
			return e.why
		case e.blocked.Len() == 0 && e.hasRoomLocked() || nested:
			ok := e.acceptRankedLocked(task, t, to, r)
			e.in.mu.Unlock()
			s := e.rouseLocked()
			e.mu.Unlock()
			s.rise()
			if !ok {
				return errRefused
			}
			return nil
		}
		e.in.mu.Unlock()
		switch {
		case !wait:
			e.forgetLocked(r)
			e.mu.Unlock()
			return ErrQueueFull
		case known:
			return e.waitForRoom(ctx, &submitter[T, R]{task: task, ticket: t, to: to, rank: r, wake: make(chan struct{}, 1)})
		}
		queue := e.blocked.Len() > 0
		e.mu.Unlock()
		if try < submitYields && !queue {
			runtime.Gosched()
			continue
		}
		_, nested = e.within(ctx) // only here is it worth finding out
		known = true
	}
}

// hasRoomLocked reports whether one more task can be accepted, and until when
// that need not be asked again. Both locks are held.
//
// Room: queued + running < room + limit. Counting running tasks as well
// makes admission independent of how fast workers pick tasks up.
func (e *engine[T, R]) hasRoomLocked() bool {
	bound := uint64(e.room + e.limit)
	if e.in.submitted-e.departed >= bound {
		for _, s := range e.seats {
			e.foldLocked(s)
		}
	}
	e.in.upTo = 0
	if !e.closed && e.blocked.Len() == 0 && e.order == nil {
		e.in.upTo = e.departed + bound
	}
	return e.in.submitted-e.departed < bound
}

// waitForRoom parks the caller, who holds the lock, until its task is accepted.
func (e *engine[T, R]) waitForRoom(ctx context.Context, s *submitter[T, R]) error {
	node := e.blocked.PushBack(s)
	e.in.mu.Lock()
	e.in.upTo = 0 // nobody is to overtake
	e.in.mu.Unlock()
	e.setCrowdedLocked(true)
	w := e.admitLocked() // a worker may have looked at crowded just before
	e.mu.Unlock()
	w.do()

	if _, _, err := ctxselect.Recv(ctx, s.wake); err != nil {
		e.mu.Lock()
		gone := e.blocked.Remove(node)
		e.setCrowdedLocked(e.blocked.Len() > 0)
		if gone {
			e.forgetLocked(s.rank)
			e.mu.Unlock()
			return err
		}
		e.mu.Unlock()
		// Its fate was decided before it could leave: it stands.
		<-s.wake
	}
	return s.err
}

// acceptLocked puts a task into the inbox, whose lock is held, and reports
// whether its receiver wanted it. The caller rouses a worker.
func (e *engine[T, R]) acceptLocked(task T, t *ticket[T, R], to receiver[T, R]) bool {
	in := &e.in
	seq := in.submitted
	c := in.tasks.tail
	if to != nil {
		var zero T
		if t = to.enter(seq, task, in.tasks.last()); t == nil {
			return false
		}
		task = zero // the receiver has it
	}
	in.submitted++
	if in.sampler.left--; in.sampler.left < 0 {
		in.sampler.take(seq, time.Since(e.base))
	}
	if c != nil && c.same == t && c.takes(seq) {
		c.tasks[c.to] = task
		c.to++
		in.tasks.n++
		return true
	}
	in.tasks.push(seq, task, t)
	return true
}

// acceptRankedLocked is acceptLocked for any pool. The engine's lock is held, too.
func (e *engine[T, R]) acceptRankedLocked(task T, t *ticket[T, R], to receiver[T, R], r rank) bool {
	ok := e.acceptLocked(task, t, to)
	switch {
	case e.order == nil:
	case ok:
		r.accepted = time.Since(e.base)
		e.in.ranks = append(e.in.ranks, r)
	default:
		e.forgetLocked(r)
	}
	return ok
}

func (e *engine[T, R]) forgetLocked(r rank) {
	if e.order != nil {
		e.order.forget(r)
	}
}

// admitLocked accepts those who wait for room, as far as there is room.
func (e *engine[T, R]) admitLocked() (w wakeUp[T, R]) {
	if e.blocked.Len() == 0 {
		return w
	}
	last := &w.submitters
	e.in.mu.Lock()
	for !e.closed && e.blocked.Len() > 0 && e.hasRoomLocked() {
		s, _ := e.blocked.Pop()
		if !e.acceptRankedLocked(s.task, s.ticket, s.to, s.rank) {
			s.err = errRefused
		}
		*last, last = s, &s.next
	}
	e.in.mu.Unlock()
	if e.blocked.Len() == 0 {
		e.setCrowdedLocked(false)
	}
	if w.submitters != nil {
		w.seat = e.rouseLocked()
	}
	return w
}

// relieve lets submitters in for tasks that have ended.
func (e *engine[T, R]) relieve() {
	e.mu.Lock()
	w := e.admitLocked()
	e.mu.Unlock()
	w.do()
}

// takeLocked fills the empty batch of w, and reports how many tasks it got and
// whether there are more for others.
func (e *engine[T, R]) takeLocked(w *worker[T, R]) (n int, more bool) {
	if e.order != nil {
		return e.takeInOrderLocked(w)
	}
	if v := e.stuckLocked(w); v != nil {
		if n = e.stealLocked(w, v, true); n > 0 {
			return n, true
		}
	}
	if e.tasks.n == 0 {
		e.emptyInboxLocked()
	}
	n, seq := e.tasks.ready()
	if n == 0 {
		for _, v := range e.workers {
			if n = e.stealLocked(w, v, false); n > 0 {
				return n, n > 1 || v.tally.unclaimed() > 0
			}
		}
		return 0, false
	}
	n = min(max(e.tasks.n/4, 1), n, len(w.batch.tasks))
	w.batch.sampled = -1
	smp, ok, rest := due(e.samples, seq, n)
	if e.samples = rest; ok {
		n = int(smp.seq-seq) + 1 // at most one sample a batch, its last
		w.batch.sampled, w.batch.sample = n-1, smp
	}
	w.batch.seq = seq
	e.tasks.take(n, &w.batch)
	e.filledLocked(w, n)
	return n, n > 1 || e.tasks.n > 0
}

// emptyInboxLocked moves what has been submitted to where workers take from,
// which is empty.
func (e *engine[T, R]) emptyInboxLocked() {
	e.in.mu.Lock()
	e.in.tasks.moveTo(&e.tasks)
	e.samples = append(e.samples[:0], e.in.sampler.pending...)
	e.in.sampler.pending = e.in.sampler.pending[:0]
	ranks := e.in.ranks
	e.in.ranks = nil
	e.in.mu.Unlock()
	if e.order != nil {
		for i, it := range e.tasks.drain() {
			e.order.push(it, ranks[i])
		}
	}
}

// takeInOrderLocked is takeLocked for a pool with keys or priorities. Every task
// is timed there.
func (e *engine[T, R]) takeInOrderLocked(w *worker[T, R]) (n int, more bool) {
	e.emptyInboxLocked()
	if e.order.len() == 0 {
		return 0, false
	}
	p := e.order.pop()
	w.rank = p.rank
	w.batch.seq, w.batch.same, w.batch.tasks[0] = p.seq, p.ticket, p.task
	w.batch.sampled, w.batch.sample = 0, sample{at: p.accepted, weight: 1}
	e.filledLocked(w, 1)
	return 1, e.order.len() > 0
}

func (e *engine[T, R]) filledLocked(w *worker[T, R], n int) {
	e.takes++
	w.taken = e.takes
	w.tally.fill(n)
}

// stuckLocked looks at one of the other workers in turn and returns it if
// everybody else has come for more several times since it last did.
func (e *engine[T, R]) stuckLocked(w *worker[T, R]) *worker[T, R] {
	e.turn++
	v := e.workers[e.turn%len(e.workers)]
	if v == w || e.takes-v.taken < 2*uint64(len(e.workers)) {
		return nil
	}
	return v
}

// stealLocked moves unclaimed tasks from the batch of v to the empty one of w.
func (e *engine[T, R]) stealLocked(w, v *worker[T, R], all bool) int {
	if v == w {
		return 0
	}
	from, to := v.tally.steal(all)
	if from == to {
		return 0
	}
	v.batch.move(from, to, &w.batch)
	e.filledLocked(w, to-from)
	return to - from
}

// recallLocked takes back what workers have not claimed, in the order of
// submission.
func (e *engine[T, R]) recallLocked() (items []item[T, R]) {
	for _, v := range e.workers {
		items = append(items, v.batch.items(v.tally.steal(true))...)
	}
	slices.SortFunc(items, bySeq)
	return items
}

// drop resolves task i of to with cause if it has not started, and reports
// whether it was so.
func (e *engine[T, R]) drop(to receiver[T, R], i int, cause error) bool {
	if _, ok := to.claim(i); !ok {
		return false
	}
	e.dropped(1)
	var zero R
	to.settle(i, zero, cause)
	return true
}

// dropped counts n tasks that have been claimed as cancelled.
func (e *engine[T, R]) dropped(n int) {
	e.mu.Lock()
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
