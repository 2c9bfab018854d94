package natspool

import (
	"context"
	"fmt"
	"runtime/pprof"

	"github.com/nats-io/nats.go"

	"github.com/tandemgo/tandem/internal/ctxselect"
)

// Close stops accepting tasks, waits for calls of Go that are under way and until every
// Future of this process has its result, for which its workers go on, then takes no more
// tasks, hands back what has not begun, and waits until what runs has ended and the server
// has confirmed it, and, for at most 5 s, until the processes that wait for its results
// have got them. Tasks that no one waits for stay in the stream, for other processes or
// the next. Close is idempotent. The error is always nil; the connection is the caller's to
// close.
//
// Inside a task of the pool Close waits for its caller, for ever: call [Pool.Shutdown]
// there.
func (p *Pool[T, R]) Close() error { return p.core.close(context.Background()) }

// Shutdown is Close with a limit: when ctx ends first, Futures without a result
// end with an error that wraps ErrClosed and the cause of ctx, the contexts of
// running tasks end with the cause, and what runs is handed back at once, so that
// another process may start it while a function here is still about to return. That
// delivery does not count towards [WithMaxDeliver].
// Shutdown then returns an error that wraps the cause and says how many there were
// of each. A task that does not heed its context goes on; Close waits for it.
// Inside a task of the pool, that is under the context of the task or one that is derived
// from it, Shutdown takes effect and returns ErrInside at once. It panics if ctx is nil.
func (p *Pool[T, R]) Shutdown(ctx context.Context) error {
	ctxselect.Require(ctx, "natspool: Shutdown")
	return p.core.close(ctx)
}

func (c *core) close(ctx context.Context) error {
	c.begin()
	if c.inside(ctx) {
		return ErrInside
	}
	_, _, err := ctxselect.Recv(ctx, c.done)
	if err == nil {
		return nil
	}
	select {
	case <-c.done:
		return nil // a second call, under a context that has ended
	default:
	}
	tasks, results := c.abort(err)
	if tasks+results > 0 {
		return fmt.Errorf("natspool: shutdown: %d tasks handed back while they ran, %d results not there: %w", tasks, results, err)
	}
	<-c.done // nothing is left to wait for
	return nil
}

// begin lets no more submissions in, and the rest come to its end.
func (c *core) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == open {
		c.phase = closing
		go c.finish()
	}
}

// finish goes through the steps of Close. After abort no step waits for another
// process, nor long for the server.
func (c *core) finish() {
	pprof.SetGoroutineLabels(c.tasks)
	c.await(c.patient, func() bool { return len(c.promises) == 0 && c.sending == 0 })
	c.mu.Lock()
	c.phase = draining
	feed := c.feed
	c.feed = nil
	c.mu.Unlock()
	if feed != nil {
		c.drain(feed)
		c.local.Close()
	}
	grace, cancel := context.WithTimeout(c.patient, c.ackWait)
	c.await(grace, func() bool { return len(c.held) == 0 })
	cancel()
	brief, cancel := context.WithTimeout(c.patient, maxCall)
	c.await(brief, func() bool { return len(c.sent) == 0 })
	cancel()
	c.unwatch()
	c.hurry(ErrClosed) // what waits for a dead letter is handed back
	c.endLife()
	c.mu.Lock()
	c.phase = over
	c.mu.Unlock()
	c.background.Wait()
	c.flush()
	c.replies.Unsubscribe()
	close(c.done)
}

// drain ends a subscription once what the server has sent until then has arrived,
// to be handed back.
func (c *core) drain(sub *nats.Subscription) {
	most := maxCall
	if c.patient.Err() != nil {
		most = maxTick
	}
	limit, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	ended := sub.StatusChanged(nats.SubscriptionClosed)
	if sub.Drain() != nil {
		return // the connection is closed
	}
	select {
	case <-ended:
	case <-limit.Done():
		sub.Unsubscribe()
	}
}

// flush waits, for a moment, until the server has got what has been sent.
func (c *core) flush() {
	if c.nc.Status() == nats.CONNECTED {
		_ = c.nc.FlushTimeout(maxTick) // or it delivers again what it has not got
	}
}

// abort ends all that can be waited for, because of cause. It returns how many
// tasks it has handed back that had begun, and how many promises it has ended.
func (c *core) abort(cause error) (tasks, results int) {
	c.mu.Lock()
	c.phase = max(c.phase, draining)
	c.hurry(cause)
	var back []handBack
	for seq, d := range c.held {
		switch d.state {
		case queued:
			delete(c.held, seq)
		case running, burying:
			tasks++
		case handedBack: // by an earlier call
			tasks++
			continue
		case ended:
			continue
		}
		back = append(back, c.returnLocked(d))
	}
	results = len(c.promises)
	err := fmt.Errorf("%w: %w", ErrClosed, cause)
	for token := range c.promises {
		c.resolveLocked(token, nil, err)
	}
	c.endTasks(cause) // under the lock, so that settle leaves to be counted what runs
	c.changedLocked()
	c.mu.Unlock()
	c.handBack(back...)
	c.flush()
	return tasks, results
}
