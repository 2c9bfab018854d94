package natspool

import (
	"context"
	"fmt"
	"runtime/pprof"
	"time"

	"github.com/nats-io/nats.go"
)

// Close stops accepting tasks and waits for calls of Go in progress and until every
// Future of this process has its result; the workers of this process go on meanwhile.
// Then Close takes no more tasks, hands back the tasks that have not begun, and waits
// until the running tasks have ended and the server has confirmed their
// acknowledgements. Tasks without a Future stay in the stream, for other
// processes or the next one. Close is idempotent. The error is always nil. The caller
// closes the connection.
//
// Inside a task of the pool Close deadlocks, since it waits for its own caller: call
// [Pool.Shutdown] there.
func (p *Pool[T, R]) Close() error {
	return p.in(context.Background(), "Close").close(context.Background())
}

// Shutdown is Close with a limit. If ctx ends first, Futures without a result end with
// an error that wraps ErrClosed and the cause of ctx, the contexts of running tasks end
// with the cause, and the running tasks are handed back at once, so another process may
// start a task while its function here has not yet returned. Such a delivery does not
// count towards [WithMaxDeliver]. Shutdown then returns an error that wraps the cause
// and contains the numbers of tasks handed back while they ran and of Futures without a
// result. A task that ignores its context goes on; Close waits for it. Inside a task of
// the pool, that is, under the context of the task or one derived from it, Shutdown
// takes effect and returns ErrInside at once. Shutdown panics if ctx is nil.
func (p *Pool[T, R]) Shutdown(ctx context.Context) error {
	return p.in(ctx, "Shutdown").close(ctx)
}

func (c *core) close(ctx context.Context) error {
	c.begin()
	if c.inside(ctx) {
		return ErrInside
	}
	err := wait(ctx, c.done)
	if err == nil {
		return nil
	}
	tasks, results := c.abort(err)
	if tasks+results > 0 {
		return fmt.Errorf("natspool: shutdown: %d tasks handed back while they ran, %d results not there: %w", tasks, results, err)
	}
	<-c.done // nothing is left to wait for
	return nil
}

// begin closes the pool to submissions and starts finish.
func (c *core) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == open {
		c.phase = closing
		go c.finish()
	}
}

// finish performs the steps of Close. After abort no step waits for another process,
// and each waits for the server only briefly.
func (c *core) finish() {
	pprof.SetGoroutineLabels(c.tasks)
	c.await(c.patient, func() bool { return len(c.promises) == 0 && c.sending == 0 })
	c.mu.Lock()
	c.phase = draining
	c.mu.Unlock()
	c.drain()
	c.await(context.Background(), func() bool { return c.counts.Running == 0 })
	grace, cancel := context.WithTimeout(c.patient, c.ackWait)
	c.await(grace, func() bool { return len(c.held) == 0 })
	cancel()
	c.unwatch()
	c.hurry(ErrClosed)
	c.mu.Lock()
	back, _ := c.returnHeldLocked() // tasks whose dead letter is not stored
	c.phase = over
	c.mu.Unlock()
	c.handBack(back...)
	c.background.Wait()
	c.flush()
	c.unsubscribe()
	close(c.done)
}

// drain ends the feed once the messages that the server has sent until then have
// arrived, so that they are handed back.
func (c *core) drain() {
	if c.feed == nil {
		return
	}
	ended := c.feed.StatusChanged(nats.SubscriptionClosed)
	if c.feed.Drain() != nil {
		return // the connection is closed
	}
	select {
	case <-ended:
	case <-time.After(maxTick): // unsubscribe ends it
	}
}

// flush waits for at most maxTick until the server has received all that was published.
func (c *core) flush() {
	if c.nc.Status() == nats.CONNECTED {
		_ = c.nc.FlushTimeout(maxTick) // on failure the server delivers the tasks again
	}
}

// abort ends every wait because of cause. It returns how many tasks it has handed back,
// and how many promises it has ended.
func (c *core) abort(cause error) (tasks, results int) {
	c.mu.Lock()
	c.phase = max(c.phase, draining)
	c.hurry(cause)
	back, tasks := c.returnHeldLocked()
	results = len(c.promises)
	err := fmt.Errorf("%w: %w", ErrClosed, cause)
	for token := range c.promises {
		c.resolveLocked(token, nil, err)
	}
	c.endTasks(cause) // under the lock: a task that fails because of this is counted above
	c.changedLocked()
	c.mu.Unlock()
	c.handBack(back...)
	c.flush()
	return tasks, results
}

// returnHeldLocked marks the tasks that have not ended as handed back, and returns them,
// and how many they are with those of earlier calls.
func (c *core) returnHeldLocked() (back []*delivery, all int) {
	for _, d := range c.held {
		if d.state == ended {
			continue
		}
		all++
		if d.state != handedBack {
			c.returnLocked(d)
			back = append(back, d)
		}
	}
	return back, all
}
