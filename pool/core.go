package pool

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/tandemgo/tandem/internal/point"
	"github.com/tandemgo/tandem/internal/shortlock"
)

// A core is what the engine is made of where the types of tasks and results do
// not matter: the limits, the workers' seats, the counts, and who sleeps.
type core struct {
	options
	base time.Time // that of all times kept as durations

	ctx     *poolContext
	unwatch func() bool // ends the watch on the context given by WithContext

	waits, runs recorder // of sampled tasks

	// Read after every task and written rarely, so away from what every
	// submission writes.
	_      [64]byte
	alert  atomic.Uint32 // ended, crowded
	drowsy atomic.Bool   // a submitter has to rouse a worker, see drowsyLocked
	_      [64]byte

	mu       shortlock.Mutex // guards what follows
	closed   bool
	limit    int
	live     int              // workers
	leaving  int              // former workers that are closing their state
	waiting  int              // tasks that lent their place to one they wait for
	dead     int              // places whose task was claimed away, less those skipped and folded
	departed uint64           // accepted tasks that need no place any more: ended, or run in place
	why      error            // what a closed engine answers
	closeErr error            // the first error of closing a state
	ids      []bool           // ids[i]: worker id i is taken
	inside   map[uint64]place // by goid: goroutines that run tasks, or could
	joiners  []chan struct{}  // closed when nothing is left of a closed engine

	completed, failed, cancelled uint64

	seats     []*seat
	idle      []*seat
	searching int // workers that have been woken or started and have not looked yet
}

// What a worker has to know before it starts a task, see core.alert.
const (
	ended   = 1 << iota // ctx has ended, or is about to
	crowded             // someone waits for room
)

// lock takes the lock for a caller that may admit submitters. It finds out first
// whether the pool is over, as methods of the user's contexts are not called under it.
func (c *core) lock() {
	if c.ctx.over() {
		c.alert.Or(ended)
	}
	c.mu.Lock()
}

// cause returns why all contexts have ended, nil if they have not.
func (c *core) cause() error { return context.Cause(c.ctx) }

// rootError is what a pool answers whose context has ended.
func (c *core) rootError() error { return fmt.Errorf("%w: %w", ErrClosed, context.Cause(c.ctx.root)) }

// setCrowdedLocked says whether someone waits for room.
func (c *core) setCrowdedLocked(yes bool) {
	if yes {
		c.alert.Or(crowded)
	} else if c.alert.Load()&crowded != 0 {
		c.alert.And(^uint32(crowded))
	}
}

// drowsyLocked keeps drowsy up to date: nobody is on the way to look for tasks,
// and there is a worker that could be.
func (c *core) drowsyLocked() {
	yes := c.searching == 0 && (len(c.idle) > 0 || c.live < c.limit)
	if c.drowsy.Load() != yes {
		c.drowsy.Store(yes)
	}
}

// A seat is a worker where the types of tasks and results do not matter.
type seat struct {
	tally tally
	id    int
	goid  uint64        // of its goroutine, as in core.inside
	taken uint64        // when its batch was filled, counted in batches
	wake  chan struct{} // capacity 1; sent to by whoever takes the seat off the idle stack
	timer *time.Timer   // for the idle timeout; nil until first used
	start func()        // the goroutine; nil once it runs
	_     [64]byte
}

// foldLocked takes over the counts of a worker's batch.
func (c *core) foldLocked(s *seat) {
	w := s.tally.fold()
	if w&countsOf == 0 {
		return
	}
	completed, failed, cancelled := uint64(part(w, oneCompleted)), uint64(part(w, oneFailed)), uint64(part(w, oneCancelled))
	c.completed += completed
	c.failed += failed
	c.cancelled += cancelled
	c.departed += completed + failed + cancelled
	c.dead -= part(w, oneSkipped)
}

// rise wakes the worker or starts its goroutine. s may be nil.
func (s *seat) rise() {
	switch {
	case s == nil:
	case s.start != nil:
		point.At("pool: before a worker is started")
		start := s.start
		s.start = nil
		start()
	default:
		point.At("pool: before a worker is woken")
		s.wake <- struct{}{}
	}
}

// park waits to be woken, when timed for d at most, and reports whether it was.
func (s *seat) park(timed bool, d time.Duration) bool {
	if !timed {
		<-s.wake
		return true
	}
	if s.timer == nil {
		s.timer = time.NewTimer(d)
	} else {
		s.timer.Reset(d)
	}
	select {
	case <-s.wake:
		s.timer.Stop()
		return true
	case <-s.timer.C:
		return false
	}
}
