package taskpool

import (
	"context"
	"fmt"
	"time"

	"github.com/tandemgo/tandem/internal/fifo"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/shortlock"
	"github.com/tandemgo/tandem/internal/taskctx"
)

// A Config has the parts and settings of an engine.
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

	// Read after each task and written rarely, so kept away from the fields that submitters write.
	_       [64]byte
	crowded sched.Bool // a submitter waits for room
	_       [64]byte

	mu         shortlock.Mutex // guards what follows
	queue      queue[T, R]
	limit      int   // workers allowed
	resume     int   // limit before a pause
	closed     error // returned for tasks that a closed engine does not accept; nil if it is open
	workers    []*worker[T, R]
	idle       []*worker[T, R]   // the last one is woken first
	ids        []bool            // ids[i]: worker i exists
	searching  *worker[T, R]     // that was woken or started and has not looked yet; nil if there is none
	leaving    int               // former workers that close their state, sweeps, and the goroutine that reports
	untold     []unstarted[T, R] // whose errors are to be reported
	telling    bool              // a goroutine does that
	waiting    int               // tasks that wait for one which runs in their place
	dead       int               // tasks in the queue that have been claimed elsewhere
	turn       int               // of the worker whose run queue is looked at
	blocked    fifo.List[*submitter[T, R]]
	quiet      chan struct{} // closed when all accepted tasks have ended; nil if no one waits for that
	gone       chan struct{} // likewise, when nothing is left of a closed engine
	retirement *time.Timer   // of idle workers; nil unless it is set
	unwatch    func() bool   // ends the watch on the context that the pool was made under

	completed, failed, cancelled uint64
}

// New returns an engine. It starts no goroutine.
func New[T, R any](c Config[T, R]) *Engine[T, R] {
	e := &Engine[T, R]{Config: c, Root: taskctx.NewRoot(c.Context, c.Name), limit: c.Workers, resume: c.Workers}
	e.queue.base = time.Now()
	if c.Order != nil {
		e.queue.order = newOrderedQueue[T, R](c.Order)
	}
	if e.Root.Mortal() {
		stop := sched.AfterFunc(c.Context, func() { e.Abort(e.rootError(), context.Cause(c.Context), true) })
		e.mu.Lock()
		e.unwatch = stop
		e.mu.Unlock()
	}
	return e
}

// lock locks the engine for a caller that may accept tasks. It closes an engine if the context of
// the pool has ended, and finds that out first, since methods of users' contexts are not called
// under a lock.
func (e *Engine[T, R]) lock() {
	var why error
	if e.Root.Over() {
		why = e.rootError()
	}
	e.mu.Lock()
	if why != nil {
		e.closeLocked(why)
	}
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

// Guard calls f under the lock of the engine, which guards what [Owner.Accept] writes.
func (e *Engine[T, R]) Guard(f func()) {
	e.mu.Lock()
	f()
	e.mu.Unlock()
}

// foldLocked takes over the counts of w, and returns the word that they were in.
func (e *Engine[T, R]) foldLocked(w *worker[T, R]) (word uint64) {
	word = w.run.fold()
	e.countLocked(word)
	return word
}

// countLocked counts tasks that have ended.
func (e *Engine[T, R]) countLocked(word uint64) {
	e.completed += uint64(uint8(word >> completedShift))
	e.failed += uint64(uint8(word >> failedShift))
	e.cancelled += uint64(uint8(word >> cancelledShift))
	e.dead -= int(uint8(word >> skippedShift))
}

// endedLocked returns the number of tasks that have ended.
func (e *Engine[T, R]) endedLocked() uint64 {
	for _, w := range e.workers {
		e.foldLocked(w)
	}
	return e.completed + e.failed + e.cancelled
}

// unfinishedLocked returns the number of accepted tasks that have not ended. Tasks that
// wait for one which runs in their place have not.
func (e *Engine[T, R]) unfinishedLocked() int {
	return int(e.queue.accepted - e.endedLocked())
}

// goneLocked reports whether the engine is closed and nothing of it is left.
func (e *Engine[T, R]) goneLocked() bool {
	return e.closed != nil && len(e.workers)+e.leaving+e.waiting == 0
}

// unlock unlocks the engine after a change that may be what a call of Wait waits for.
func (e *Engine[T, R]) unlock() {
	if e.gone != nil && e.goneLocked() {
		sched.End(e.gone)
		e.gone = nil
	}
	if e.quiet != nil && (e.goneLocked() || e.unfinishedLocked() == 0) {
		sched.End(e.quiet)
		e.quiet = nil
	}
	e.mu.Unlock()
}

// Wait waits until all accepted tasks have ended, or with gone until all of a closed engine
// has. It returns the cause of ctx if ctx ends first, and ErrInside at once inside a task.
func (e *Engine[T, R]) Wait(ctx context.Context, gone bool) error {
	if e.Root.Inside(ctx) != nil {
		return ErrInside
	}
	e.mu.Lock()
	end, unwatch := &e.quiet, e.unwatch
	if gone {
		end = &e.gone
	}
	if *end == nil {
		*end = make(chan struct{})
	}
	ended := *end
	e.unlock()
	sched.ParkCtxOr(ctx, nil, ended)
	switch {
	case !sched.Ended(ended):
		return context.Cause(ctx)
	case gone && unwatch != nil:
		unwatch()
	}
	return nil
}

// Resize sets the number of workers; with 0 none starts a task until the next Resize, or
// until the engine is closed.
func (e *Engine[T, R]) Resize(workers int) {
	e.lock()
	if e.closed != nil && workers == 0 {
		workers = e.resume
	}
	if e.limit = workers; workers > 0 {
		e.resume = workers
	}
	e.queue.room = 0
	e.admitLocked()
	if surplus := len(e.workers) - workers; surplus > 0 {
		e.recallLocked() // what the workers have taken is not theirs any more
		e.retireIdleLocked(surplus)
	}
	e.wakeLocked()
	e.unlock()
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
	s := Stats{Limit: e.limit, Workers: len(e.workers), Waiting: e.waiting, Blocked: e.blocked.Len(), Accepted: e.queue.accepted}
	for _, w := range e.workers {
		word := e.foldLocked(w) // one look, so that the sums agree
		s.Queued += int(uint8(word>>tailShift)) - int(uint8(word))
		s.Running += int(uint8(word >> runningShift))
	}
	s.Queued += e.queue.len() - e.dead
	s.Completed, s.Failed, s.Cancelled = e.completed, e.failed, e.cancelled
	if s.Queued < 0 { // workers are at tasks that have been claimed elsewhere
		s.Running, s.Queued = s.Running+s.Queued, 0
	}
	return s
}
