package natspool

import (
	"context"
	"fmt"
	"runtime/pprof"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A core is a pool without the types of its tasks and results.
//
// Data: held has every task that has been delivered to this process and that the server
// may still count as ours: the task is about to begin, runs, is about to become a dead
// letter, or has ended without a confirmation of its acknowledgement.
// free counts the workers without a task, and asked the tasks requested from the
// server. asked never exceeds free, so a task that is delivered finds a worker.
// promises has the Futures without a result, and sent the results that this process has
// sent of late. All of it is guarded by mu. No I/O and no code of the user runs under mu.
//
// Goroutines: the subscription for tasks calls arrive, the subscription for replies
// calls reply, each task calls run on a goroutine of its own, and keep does the periodic
// work: it sends signs of life, repeats lost messages and repeats requests. A worker that
// becomes free requests a task. Only these calls wait for a reply of the server: submit;
// count, for a task that has been delivered before; storeDeadLetter and handBack; move and check, on
// goroutines of their own; and Close.
//
// Closing: begin stops submissions; finish, on its own goroutine, performs the
// remaining steps, and abort makes each step short. Only the root and abort end the
// tasks' context, so the context of a task of a closed pool lasts as long as the root.
type core struct {
	options
	names
	js      jetstream.JetStream
	nc      *nats.Conn
	workers int
	ackWait time.Duration
	execute func(ctx context.Context, task []byte) (result []byte, err error)
	backs   jetstream.Stream // records of deliveries that are not attempts
	next    string           // subject of pull requests
	inbox   string           // prefix of the subjects of replies

	feed      *nats.Subscription // for tasks; nil without workers
	feedInbox string             // prefix of the subjects of its status messages

	tasks      context.Context // parent of the tasks' contexts
	endTasks   context.CancelCauseFunc
	patient    context.Context // ends when every wait must end, and when the pool is closed
	hurry      context.CancelCauseFunc
	unwatch    func() bool          // of the root
	subs       []*nats.Subscription // for replies, requests for results and tasks that are due
	background sync.WaitGroup
	done       chan struct{} // closed when Close is complete
	late       chan struct{} // a semaphore of tasks without a worker whose dead letter is not stored yet

	mu         sync.Mutex
	phase      phase
	changed    chan struct{} // closed when a condition of await may have become true; nil without a waiter
	held       map[uint64]*delivery
	free       int
	sending    int // calls that wait for the stream's acknowledgement
	asked      int
	heard      time.Time // time of the server's last message or of the last request
	round      int       // of requests; those of earlier rounds may be forgotten
	reconnects uint64
	broken     bool // the consumer may be gone
	checking   bool
	checked    time.Time
	promises   map[string]*promise
	sent       []sentResult // oldest first
	sentBytes  int
	tokens     uint64
	known      uint64 // the highest stream number in an acknowledgement so far
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
		held: map[uint64]*delivery{}, promises: map[string]*promise{},
		done: make(chan struct{}), late: make(chan struct{}, workers),
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
	c.tasks, c.endTasks = context.WithCancelCause(o.root)
	c.patient, c.hurry = context.WithCancelCause(context.Background())
	c.feedInbox = c.nc.NewInbox() + "."
	c.subscribe(&err, c.inbox+">", "", c.reply)
	c.subscribe(&err, c.again, "", func(m *nats.Msg) { c.resend(string(m.Data)) })
	if workers > 0 {
		c.subscribe(&err, c.dueTo, c.consumer, c.move)
		c.feed = c.subscribe(&err, c.feedInbox+"*.*", "", c.arrive)
	}
	if err != nil {
		c.unsubscribe()
		return nil, fmt.Errorf("natspool: New: %w", err)
	}
	c.request()
	c.spawn(c.keep)
	c.mu.Lock() // begin waits for the lock, so finish finds unwatch set
	defer c.mu.Unlock()
	c.unwatch = context.AfterFunc(o.root, func() {
		c.begin()
		c.abort(context.Cause(o.root))
	})
	return c, nil
}

// subscribe adds a subscription, in a queue group if it is not "", unless err is set
// already. What comes in is bounded by our requests.
func (c *core) subscribe(err *error, subject, group string, fn func(*nats.Msg)) (sub *nats.Subscription) {
	if *err != nil {
		return nil
	}
	if sub, *err = c.nc.QueueSubscribe(subject, group, fn); *err == nil {
		c.subs = append(c.subs, sub)
		*err = sub.SetPendingLimits(-1, -1)
	}
	return sub
}

func (c *core) unsubscribe() {
	for _, sub := range c.subs {
		_ = sub.Unsubscribe() // it fails if the connection is closed
	}
}

// spawn runs fn on a goroutine that Close waits for, with the profiler labels of the
// root, since fn may call the error handler. Once the pool is closed, spawn does
// nothing.
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

// stopped reports whether the contexts of tasks have ended or are about to: the root
// has ended, or Shutdown has run out of time.
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

// pause waits for a time, and reports whether the pool goes on after it.
func (c *core) pause(d time.Duration) bool {
	ctx, cancel := context.WithTimeout(c.patient, d)
	defer cancel()
	<-ctx.Done()
	return c.patient.Err() == nil
}

func (c *core) changedLocked() {
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// tell calls the error handler with an error that does not belong to a task.
func (c *core) tell(err error) { c.tellOfTask(c.tasks, err) }

// tellOfTask calls the error handler, with the profiler labels of the tasks.
func (c *core) tellOfTask(ctx context.Context, err error) {
	if err != nil && c.onError != nil {
		pprof.SetGoroutineLabels(c.tasks)
		c.onError(ctx, err)
	}
}
