package taskpool

import (
	"context"
	"fmt"
	"runtime/pprof"
	"slices"
	"time"

	"github.com/tandemgo/tandem/internal/fifo"
	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/shortlock"
	"github.com/tandemgo/tandem/internal/taskctx"
)

// A Config says how an engine is made.
type Config[T, R any] struct {
	Workers     int
	MinWorkers  int // that stay when they are idle
	IdleTimeout time.Duration
	Room        int // tasks accepted beyond the workers
	Name        string
	Context     context.Context // that the pool is made under
	Order       *Order[T]       // nil: first come, first served
	Crash       bool            // a panic of any task ends the program

	Fn   Func[T, R]                                              // nil if workers have states
	Open func(context.Context) (Func[T, R], func() error, error) // opens the state of a worker, and returns what closes it
	Idle func()                                                  // called under a lock when no worker has anything to do
	// Report is called with the errors that no one waits for: those of detached tasks, before
	// they are counted, and of closing states.
	Report    func(ctx context.Context, err error, closing bool)
	Unhandled bool // no handler hears of them, so a panic of a detached task ends the program
}

// An Engine runs tasks.
type Engine[T, R any] struct {
	Config[T, R]
	Root        *taskctx.Root
	Waits, Runs Recorder // times of sampled tasks: in the queue, and of running

	// Read after each task and written rarely, so kept away from what submitters write.
	_      [64]byte
	alert  sched.Uint64 // crowded, stopped
	drowsy sched.Bool   // a submitter has to wake a worker
	_      [64]byte

	mu         shortlock.Mutex // guards what follows, up to the queue
	limit      int             // workers allowed
	resume     int             // limit before a pause
	closed     bool
	why        error // returned for tasks that a closed engine does not accept
	workers    []*worker[T, R]
	idle       []*worker[T, R] // the last one is woken first
	ids        []bool          // ids[i]: worker i exists
	searching  int             // workers that were woken or started and have not looked yet
	leaving    int             // former workers that close their state
	waiting    int             // tasks that wait for one which runs in their place
	dead       int             // tasks in the queue that have been claimed elsewhere
	departed   uint64          // accepted tasks that need no room any more
	fills      uint64          // run queues filled so far
	turn       int             // of the worker whose run queue is looked at
	blocked    fifo.List[*submitter[T, R]]
	waiters    []waiter
	retirement *time.Timer // of idle workers
	retiring   bool        // it is set
	unwatch    func() bool // ends the watch on the context that the pool was made under
	order      *orderedQueue[T, R]

	completed, failed, cancelled uint64

	_     [64]byte
	queue queue[T, R]
	_     [64]byte
}

// What a worker has to know before it runs a task, see Engine.alert.
const (
	crowded uint64 = 1 << iota // a submitter waits for room
	stopped                    // Root has ended, or is about to
)

// A waiter parks until all accepted tasks have ended, or until all of a closed engine has.
type waiter struct {
	wake chan struct{}
	gone bool
}

// New returns an engine. It starts no goroutine.
func New[T, R any](c Config[T, R]) *Engine[T, R] {
	e := &Engine[T, R]{Config: c, Root: taskctx.NewRoot(c.Context, c.Name), limit: c.Workers, resume: c.Workers}
	e.queue.base = time.Now()
	if c.Order != nil {
		e.order = newOrderedQueue[T, R](c.Order)
	}
	if e.Root.Mortal() {
		stop := sched.AfterFunc(c.Context, func() { e.Abort(e.rootError(), context.Cause(c.Context), true) })
		e.mu.Lock()
		e.unwatch = stop
		e.mu.Unlock()
	}
	return e
}

// lock locks the engine for a caller that may accept tasks. It finds out first whether the
// context of the pool has ended, since methods of users' contexts are not called under a lock.
func (e *Engine[T, R]) lock() {
	if e.Root.Over() {
		e.alert.Or(stopped)
	}
	e.mu.Lock()
}

func (e *Engine[T, R]) now() time.Duration { return time.Since(e.queue.base) }

// rootError is returned when the context has ended that the pool was made under.
func (e *Engine[T, R]) rootError() error {
	return fmt.Errorf("%w: %w", ErrClosed, context.Cause(e.Context))
}

// Ended returns why no task is accepted under ctx, or nil. The caller need not ask if neither ctx
// nor the context of the pool can end.
func (e *Engine[T, R]) Ended(ctx context.Context) error {
	switch {
	case e.Root.Over():
		return e.rootError()
	case sched.Err(ctx) != nil:
		return context.Cause(ctx)
	}
	return nil
}

// acceptLocked puts a task into the queue, and returns tasks whose context may have ended. The
// caller wakes a worker.
func (e *Engine[T, R]) acceptLocked(p *place[T, R]) (suspects [2]*Task[T, R]) {
	q := &e.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mortal = q.mortal || p.task.Origin.Lingers
	if e.order == nil {
		q.push(p.item)
		return q.suspects()
	}
	e.order.push(p, q.accepted, e.now())
	q.accepted++
	return e.order.suspects(q.accepted - q.swept)
}

// foldLocked takes over the counts of w.
func (e *Engine[T, R]) foldLocked(w *worker[T, R]) {
	c := w.run.fold()
	if c == 0 {
		return
	}
	completed, failed, cancelled := uint64(uint8(c>>completedShift)), uint64(uint8(c>>failedShift)), uint64(uint8(c>>cancelledShift))
	e.completed += completed
	e.failed += failed
	e.cancelled += cancelled
	e.departed += completed + failed + cancelled
	e.dead -= int(uint8(c >> skippedShift))
}

// unfinishedLocked returns the number of accepted tasks that have not ended. Tasks that
// wait for one which runs in their place have not.
func (e *Engine[T, R]) unfinishedLocked() int {
	for _, w := range e.workers {
		e.foldLocked(w)
	}
	e.queue.mu.Lock()
	defer e.queue.mu.Unlock()
	return int(e.queue.accepted-e.departed) + e.waiting
}

// Cancelled counts n queued tasks that the caller has claimed in order to cancel them.
func (e *Engine[T, R]) Cancelled(n int) {
	e.lock()
	e.cancelled += uint64(n)
	e.departed += uint64(n)
	up := e.vacateLocked(n)
	e.notifyLocked()
	e.mu.Unlock()
	up.wake()
}

// vacateLocked counts n tasks in the queue that have been claimed elsewhere. When they are
// an eighth of the queue they are removed, so that they cost little memory.
func (e *Engine[T, R]) vacateLocked(n int) wakeUp[T, R] {
	const few = 64
	if e.dead += n; e.dead > few {
		e.queue.mu.Lock()
		if e.dead > (e.queue.n+e.order.len())/8 {
			e.removeLocked(func(t *Task[T, R]) bool { return t.Queued() })
		}
		e.queue.mu.Unlock()
	}
	return e.admitLocked()
}

// removeLocked removes the tasks from the queue that are not wanted and have been claimed.
// Both locks are held.
func (e *Engine[T, R]) removeLocked(wanted func(*Task[T, R]) bool) {
	e.dead -= e.queue.keep(func(it item[T, R]) bool { return wanted(it.task) })
	if e.order != nil {
		e.dead -= e.order.keep(wanted)
	}
}

// sweepIf starts a sweep if the context of one of the tasks has ended.
func (e *Engine[T, R]) sweepIf(suspects [2]*Task[T, R]) {
	for _, t := range suspects {
		if t != nil && t.Origin.Scope().Over() {
			e.sweepSoon()
			return
		}
	}
}

// sweepSoon starts a goroutine that cancels the queued tasks whose context has ended, if it is
// time to look for them. The engine is not gone before that goroutine is.
func (e *Engine[T, R]) sweepSoon() {
	q := &e.queue
	e.mu.Lock()
	q.mu.Lock()
	due := q.mortal && q.accepted-q.swept >= uint64(q.n+e.order.len())/8 && !e.goneLocked()
	if due {
		q.swept = q.accepted
		e.leaving++
	}
	q.mu.Unlock()
	e.mu.Unlock()
	if due {
		go e.sweep()
	}
}

// sweep cancels the queued tasks whose context has ended.
func (e *Engine[T, R]) sweep() {
	q := &e.queue
	over := map[*taskctx.Scope]bool{}
	e.lock()
	e.recallLocked() // what workers have not claimed
	q.mu.Lock()
	e.removeLocked(func(t *Task[T, R]) bool {
		if t.Origin.Lingers {
			over[t.Origin.Scope()] = false
		}
		return t.Queued()
	})
	q.mortal = len(over) > 0
	q.mu.Unlock()
	e.mu.Unlock()
	for s := range over {
		over[s] = s.Over() // contexts of users are asked without a lock
	}
	var dropped []*Task[T, R]
	e.lock()
	q.mu.Lock()
	e.removeLocked(func(t *Task[T, R]) bool {
		if !over[t.Origin.Scope()] {
			return t.Queued()
		}
		if t.Claim() {
			dropped = append(dropped, t)
			e.dead++ // it is not removed because someone else has claimed it
		}
		return false
	})
	q.mu.Unlock()
	e.cancelled += uint64(len(dropped))
	e.departed += uint64(len(dropped))
	up := e.admitLocked()
	e.mu.Unlock()
	up.wake()
	e.settleAll(dropped, nil, true)
	e.lock()
	e.leaving--
	e.notifyLocked()
	e.mu.Unlock()
}

// settleAll publishes that tasks which the caller has claimed and counted never started,
// because of cause, or of the end of their context if cause is nil. If told, the errors of
// detached tasks are reported, on another goroutine, since the caller has labels of its own.
func (e *Engine[T, R]) settleAll(tasks []*Task[T, R], cause error, told bool) {
	reason := func(t *Task[T, R]) error {
		if cause != nil {
			return outcome.NotStarted(cause)
		}
		return outcome.NotStarted(context.Cause(t.Origin.Scope().Submitted))
	}
	var detached []*Task[T, R]
	for _, t := range tasks {
		if t.Origin.Detached {
			detached = append(detached, t)
		} else {
			t.Origin.Owner.Settle(t, reason(t))
		}
	}
	if !told || len(detached) == 0 {
		return
	}
	e.contain(context.Background(), func() error {
		for _, t := range detached {
			ctx := t.Origin.Context(e.Root, nil, -1)
			pprof.SetGoroutineLabels(ctx.Labels)
			e.Report(ctx, reason(t), false)
		}
		return nil
	})
}

// contain calls fn on another goroutine, with the labels of ctx, so that a Goexit in it is an
// error and nothing worse, and waits for it.
func (e *Engine[T, R]) contain(ctx context.Context, fn func() error) (err error) {
	done := make(chan struct{}, 1)
	go func() {
		defer sched.Signal(done)
		pprof.SetGoroutineLabels(ctx)
		outcome.Run(func() (struct{}, error) { return struct{}{}, fn() }, func(_ struct{}, e error) { err = e })
	}()
	sched.Park(done)
	return err
}

// notifyLocked wakes the waiters whose condition holds.
func (e *Engine[T, R]) notifyLocked() {
	if len(e.waiters) == 0 {
		return
	}
	gone := e.goneLocked()
	quiet := gone || e.unfinishedLocked() == 0
	e.waiters = slices.DeleteFunc(e.waiters, func(w waiter) bool {
		ready := gone || quiet && !w.gone
		if ready {
			sched.Signal(w.wake)
		}
		return ready
	})
}

// goneLocked reports whether the engine is closed and nothing of it is left.
func (e *Engine[T, R]) goneLocked() bool {
	return e.closed && len(e.workers)+e.leaving+e.waiting == 0
}

// Wait waits until all accepted tasks have ended, or with gone until all of a closed engine
// has. It returns the cause of ctx if ctx ends first, and ErrInside at once inside a task.
func (e *Engine[T, R]) Wait(ctx context.Context, gone bool) error {
	if e.Root.Inside(ctx) != nil {
		return ErrInside
	}
	w := waiter{make(chan struct{}, 1), gone}
	e.mu.Lock()
	e.waiters = append(e.waiters, w)
	e.notifyLocked()
	e.mu.Unlock()
	sched.ParkCtx(ctx, w.wake)
	e.mu.Lock()
	i := slices.IndexFunc(e.waiters, func(x waiter) bool { return x.wake == w.wake })
	if i >= 0 {
		e.waiters = slices.Delete(e.waiters, i, i+1)
	}
	unwatch := e.unwatch
	e.mu.Unlock()
	switch {
	case i >= 0:
		return context.Cause(ctx)
	case gone && unwatch != nil:
		unwatch()
	}
	return nil
}

// Close makes every later Push return ErrClosed, and lets the workers end when the queue is
// empty. It does not wait.
func (e *Engine[T, R]) Close() {
	e.mu.Lock()
	up := e.closeLocked(ErrClosed)
	e.mu.Unlock()
	up.wake()
}

func (e *Engine[T, R]) closeLocked(why error) (up wakeUp[T, R]) {
	if e.closed {
		return up
	}
	e.closed, e.why = true, why
	if e.limit == 0 { // a pause ends
		e.limit = e.resume
	}
	for s := range e.blocked.Take() {
		s.err = why
		up.submitters = append(up.submitters, s)
	}
	e.alert.And(^crowded)
	e.queue.mu.Lock()
	e.queue.room = 0
	e.queue.mu.Unlock()
	up.workers = e.retireIdleLocked(len(e.idle))
	up.add(e.wakeLocked())
	e.notifyLocked()
	return up
}

// Drain closes the engine and returns the tasks that have not started, in the order in which
// they were accepted. It settles those that are waited for with an error that matches cause.
func (e *Engine[T, R]) Drain(cause error) []T {
	e.mu.Lock()
	up := e.closeLocked(ErrClosed)
	claimed, tasks := e.drainLocked()
	e.notifyLocked()
	e.mu.Unlock()
	up.wake()
	e.settleAll(claimed, cause, false)
	return tasks
}

// Closing returns the number of workers that have not closed their states.
func (e *Engine[T, R]) Closing() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.Open == nil {
		return 0
	}
	return len(e.workers) + e.leaving
}

// Abort closes the engine, cancels the tasks that have not started and ends the contexts of
// those that run. It does not wait. With root, the reason is the end of the context that the
// pool was made under.
func (e *Engine[T, R]) Abort(why, cause error, root bool) (running, dropped int) {
	e.mu.Lock()
	rests := e.goneLocked() && !root
	up := e.closeLocked(why)
	claimed, _ := e.drainLocked()
	running = e.unfinishedLocked()
	e.alert.Or(stopped)
	e.notifyLocked()
	e.mu.Unlock()
	up.wake()
	if !rests { // an engine at rest has nothing of its own to end
		e.Root.Stop(cause)
	}
	e.settleAll(claimed, cause, true)
	return running, len(claimed)
}

// drainLocked claims all tasks that have not started, and counts them as cancelled. It returns
// them, and their values.
func (e *Engine[T, R]) drainLocked() (claimed []*Task[T, R], values []T) {
	e.recallLocked()
	claim := func(it item[T, R]) {
		if it.task.Claim() {
			claimed, values = append(claimed, it.task), append(values, it.arg())
		} else {
			e.dead--
		}
	}
	e.queue.mu.Lock()
	e.queue.keep(func(it item[T, R]) bool { claim(it); return false })
	e.queue.trim()
	e.queue.mu.Unlock()
	if e.order != nil {
		for _, p := range e.order.drain() {
			claim(p.item)
		}
	}
	e.cancelled += uint64(len(claimed))
	e.departed += uint64(len(claimed))
	e.restLocked()
	return claimed, values
}

// recallLocked takes back the tasks that workers have not claimed.
func (e *Engine[T, R]) recallLocked() {
	var chunks []*chunk[T, R]
	for _, w := range e.workers {
		if e.order == nil && w.run.unclaimed() > 0 {
			c := &chunk[T, R]{items: make([]item[T, R], itemsPerChunk[T, R]())}
			if w.run.steal(c, true) > 0 {
				chunks = append(chunks, c)
			}
		}
	}
	slices.SortFunc(chunks, func(a, b *chunk[T, R]) int { return int(int64(b.seq - a.seq)) })
	e.queue.mu.Lock()
	for _, c := range chunks {
		e.queue.putBack(c)
	}
	e.queue.mu.Unlock()
}

// Resize sets the number of workers; with 0 none starts a task until the next Resize, or
// until the engine is closed.
func (e *Engine[T, R]) Resize(workers int) {
	e.lock()
	if e.closed && workers == 0 {
		workers = e.resume
	}
	if e.limit = workers; workers > 0 {
		e.resume = workers
	}
	e.queue.mu.Lock()
	e.queue.room = 0
	e.queue.mu.Unlock()
	up := e.admitLocked()
	if surplus := len(e.workers) - workers; surplus > 0 {
		e.recallLocked() // what the workers have taken is not theirs any more
		up.workers = append(up.workers, e.retireIdleLocked(surplus)...)
	}
	up.add(e.wakeLocked())
	e.drowsyLocked()
	e.mu.Unlock()
	up.wake()
}

// Window returns how many tasks of a walk may be under way at once.
func (e *Engine[T, R]) Window() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return 2 * min(max(e.limit, 1), 1<<29)
}

// Stats are the figures of an engine at one instant.
type Stats struct {
	Limit, Workers                    int
	Queued, Running, Waiting, Blocked int
	Accepted                          uint64
	Completed, Failed, Cancelled      uint64
}

// Stats returns consistent figures.
func (e *Engine[T, R]) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queue.mu.Lock()
	defer e.queue.mu.Unlock()
	s := Stats{
		Limit: e.limit, Workers: len(e.workers),
		Queued: e.queue.n + e.order.len() - e.dead, Waiting: e.waiting, Blocked: e.blocked.Len(),
		Accepted: e.queue.accepted, Completed: e.completed, Failed: e.failed, Cancelled: e.cancelled,
	}
	for _, w := range e.workers {
		x := w.run.word.Load() // once, so that the sums agree
		s.Queued += int(uint8(x>>tailShift)) - int(uint8(x)) + int(uint8(x>>skippedShift))
		s.Running += int(uint8(x >> runningShift))
		s.Completed += uint64(uint8(x >> completedShift))
		s.Failed += uint64(uint8(x >> failedShift))
		s.Cancelled += uint64(uint8(x >> cancelledShift))
	}
	if s.Queued < 0 { // workers are at tasks that have been claimed elsewhere
		s.Running, s.Queued = s.Running+s.Queued, 0
	}
	return s
}
