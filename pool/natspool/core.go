package natspool

import (
	"context"
	"fmt"
	"runtime/pprof"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/pool"
)

// A core is a pool without the types of its tasks and results.
//
// Data: held has every task that this process has got and the server has not been
// seen to let go of: it is queued in the local pool, runs, is to be a dead letter, or
// has ended and its acknowledgement is not confirmed yet. free counts the workers that have no task,
// and asked for how many of them the server has been asked; no more is ever asked
// for, so a task that is delivered finds a worker. promises has the Futures
// without a result, and sent the results that have not been confirmed by the process
// that waits. All of it is under mu, and mu is held for no I/O and no code
// of the user.
//
// Goroutines: the subscription for tasks calls arrive, that for replies calls
// reply, the local pool's workers call run, and keep does what must be done now
// and then: signs of life, what has been lost on the way, asking again. Whoever
// frees a worker asks for a task. Only these calls wait for a reply of the server:
// submit; count, for a task that has been delivered before; bury and handBack, for
// some seconds; buryAtLast, on a goroutine for each task that no worker has any more;
// and Close.
//
// An end: begin lets no more submissions in; finish, on a goroutine of its own,
// goes through the rest, and abort makes each step of it short. The tasks' context
// ends with the root and by abort only, so that of a pool that is closed lasts as long
// as its root.
type core struct {
	options
	names
	js      jetstream.JetStream
	nc      *nats.Conn
	workers int
	ackWait time.Duration
	execute func(ctx context.Context, task []byte) (result []byte, err error)
	local   *pool.Pool[*delivery, struct{}] // nil without workers
	backs   jetstream.Stream                // of deliveries that are no attempts
	next    string                          // subject of pull requests
	inbox   string                          // prefix of the subjects of replies

	tasks      context.Context // what the tasks' contexts are made of
	endTasks   context.CancelCauseFunc
	life       context.Context // ends when all is over
	endLife    context.CancelFunc
	patient    context.Context // ends when nothing is to be waited for any more
	hurry      context.CancelCauseFunc
	unwatch    func() bool // of the root
	replies    *nats.Subscription
	background sync.WaitGroup
	done       chan struct{} // closed when all is over

	mu         sync.Mutex
	phase      phase
	changed    chan struct{} // closed when what somebody waits for may be so; nil if nobody does
	held       map[uint64]*delivery
	free       int
	burying    int // tasks that have no worker any more and are no dead letter yet
	sending    int // calls whose task is on the way to the stream
	asked      int
	heard      time.Time          // when the server was last heard of, or asked
	feed       *nats.Subscription // for tasks; nil when the pool takes none
	feedInbox  string
	reconnects uint64
	broken     bool // the consumer may be gone
	mending    bool
	auditing   bool
	audited    time.Time
	promises   map[string]*promise
	sent       map[uint64]*sentResult // by the task's number in the stream
	sentBytes  int
	tokens     uint64
	known      uint64 // the highest number in the stream that a call was told
	counts     Stats
}

type phase int

const (
	open     phase = iota
	closing        // no more submissions
	draining       // no more deliveries
	over           // no more goroutines
)

func newCore(ctx context.Context, js jetstream.JetStream, n names, workers int, o options, execute func(context.Context, []byte) ([]byte, error)) (*core, error) {
	c := &core{
		options: o, names: n, js: js, nc: js.Conn(), workers: workers, free: workers, execute: execute,
		held: map[uint64]*delivery{}, promises: map[string]*promise{}, sent: map[uint64]*sentResult{},
		done: make(chan struct{}),
	}
	var err error
	if c.ackWait, err = c.setUp(ctx, js, &c.options, workers > 0); err != nil {
		return nil, err
	}
	if c.backs, err = js.Stream(ctx, c.back); err != nil {
		return nil, fmt.Errorf("natspool: New: stream %q: %w", c.back, err)
	}
	c.next = apiPrefix(js.Options()) + "CONSUMER.MSG.NEXT." + c.stream + "." + c.consumer
	c.inbox = c.nc.NewInbox() + "."
	c.reconnects = c.nc.Stats().Reconnects
	if c.replies, err = c.nc.Subscribe(c.inbox+">", c.reply); err == nil {
		err = c.replies.SetPendingLimits(-1, -1) // there are as many as have been asked for
	}
	if err != nil {
		return nil, fmt.Errorf("natspool: New: %w", err)
	}
	c.tasks, c.endTasks = context.WithCancelCause(o.root)
	c.patient, c.hurry = context.WithCancelCause(context.Background())
	c.life, c.endLife = context.WithCancel(context.Background())
	if workers > 0 {
		c.local = pool.New(workers, c.run, pool.WithMinWorkers(workers), pool.CrashOnPanic())
		if err := c.startFeed(); err != nil {
			c.replies.Unsubscribe()
			return nil, fmt.Errorf("natspool: New: %w", err)
		}
	}
	c.spawn(c.keep)
	c.mu.Lock() // begin waits for it, so that finish finds unwatch
	defer c.mu.Unlock()
	c.unwatch = context.AfterFunc(o.root, func() {
		c.begin()
		c.abort(context.Cause(o.root))
	})
	return c, nil
}

// spawn runs fn on a goroutine that Close waits for, with the profiler labels of the
// root, since fn may call the error handler. When all is over it does nothing.
func (c *core) spawn(fn func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != over {
		c.background.Go(func() {
			pprof.SetGoroutineLabels(c.tasks)
			fn()
		})
	}
}

// stopped reports whether the contexts of tasks have ended, or are about to: the root
// has, or Shutdown is out of time.
func (c *core) stopped() bool { return c.tasks.Err() != nil || c.root.Err() != nil }

// await waits until cond, which is called under the lock, is true, or ctx ends.
func (c *core) await(ctx context.Context, cond func() bool) {
	for ctx.Err() == nil {
		c.mu.Lock()
		if cond() {
			c.mu.Unlock()
			return
		}
		if c.changed == nil {
			c.changed = make(chan struct{})
		}
		changed := c.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

func (c *core) changedLocked() {
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// tell calls the error handler with an error that is not one of a task.
func (c *core) tell(err error) { c.tellOfTask(c.tasks, err) }

// tellOfTask calls the error handler, with the profiler labels of the tasks.
func (c *core) tellOfTask(ctx context.Context, err error) {
	if err != nil && c.onError != nil {
		pprof.SetGoroutineLabels(c.tasks)
		c.onError(ctx, err)
	}
}
