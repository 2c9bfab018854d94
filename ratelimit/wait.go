package ratelimit

import (
	"context"
	"fmt"
	"time"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/fifo"
	"github.com/tandemgo/tandem/internal/lineup"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/sched"
)

// A claim is a caller that waits, or a reservation made behind one. It first waits at its
// own limiter, until it is in front there and due, and then at the parents in turn. So it
// is in the queues of its limiter and of the parents up to the one at which it waits.
type claim struct {
	l    *Limiter
	n    uint64
	at   *Limiter      // where it waits; nil: it does not
	wake chan struct{} // nil: a reservation
	due  int64         // the instant to look again, for a caller; that of the permits, for a reservation
	err  error         // of a caller that will never be granted
	paid charge        // of a reservation that has left the line
	node *fifo.Node[*claim]
}

// Wait waits for one permit. See [Limiter.WaitN].
func (l *Limiter) Wait(ctx context.Context) error { return l.WaitN(ctx, 1) }

// WaitN waits until n permits can be had, behind all callers that wait already, and takes
// them. It returns nil when they are granted. With an error it has taken nothing:
//
//   - the cause of ctx, if ctx ends first;
//   - at once, an error that wraps [context.DeadlineExceeded], if the deadline of ctx comes
//     before the permits;
//   - [ErrClosed], or an error that wraps [ErrExceedsBurst].
//
// With a rate of 0 it waits until SetRate, SetBurst, Close or ctx change that. It panics
// if ctx is nil or n is less than 1.
func (l *Limiter) WaitN(ctx context.Context, n int) error {
	ctxselect.Require(ctx, "ratelimit: WaitN")
	misuse.Below(n, 1, "ratelimit: WaitN: number")
	if sched.Err(ctx) != nil {
		return context.Cause(ctx)
	}
	if v, _ := l.meter.Load().take(uint64(n)); v == allow {
		return nil
	}
	deadline, limited := ctx.Deadline()
	l.lock("Wait")
	c, err := l.lineUp(uint64(n), deadline, limited)
	l.unlock()
	if c == nil {
		return err
	}
	return c.wait(ctx)
}

// wait waits until c is granted.
func (c *claim) wait(ctx context.Context) error {
	lineup.Placed(ctx)
	for {
		delay, done := c.look()
		if done {
			return c.err
		}
		if err := park(ctx, c.wake, delay); err != nil {
			return c.giveUp(err)
		}
	}
}

// park waits for a signal on wake, at most for a delay. It returns the cause of ctx if
// that has ended.
func park(ctx context.Context, wake chan struct{}, delay time.Duration) error {
	if delay != Never {
		sched.Opaque("timer")
		timer := time.AfterFunc(delay, func() { sched.Signal(wake) })
		defer timer.Stop()
	}
	sched.ParkCtx(ctx, wake)
	if sched.Err(ctx) != nil {
		return context.Cause(ctx)
	}
	return nil
}

// lineUp grants n permits, or returns a claim at the end of the line, or the reason why
// that would be of no use.
func (l *Limiter) lineUp(n uint64, deadline time.Time, limited bool) (*claim, error) {
	if l.take(n, true) {
		return nil, nil
	}
	if err := l.refuses(n); err != nil {
		return nil, err
	}
	if limited {
		if err := tooLate(n, l.forecast(n, 0), time.Until(deadline)); err != nil {
			return nil, err
		}
	}
	l.waits++
	return l.enter(&claim{l: l, n: n, wake: make(chan struct{}, 1)}), nil
}

// enter puts c at the end of the line.
func (l *Limiter) enter(c *claim) *claim {
	c.node = l.root.claims.PushBack(c)
	c.at, l.blocked = l, l.root.round
	l.inLine++
	if c.wake == nil {
		l.root.reservations++
	}
	return c
}

// look reports whether c has left the line, and otherwise when it has to look again; Never
// if c is woken.
func (c *claim) look() (delay time.Duration, done bool) {
	c.l.lock("Wait")
	defer c.l.unlock()
	c.due = int64(Never)
	c.l.root.serve(c)
	if c.due == int64(Never) {
		return Never, c.at == nil
	}
	return time.Duration(c.due - c.l.root.now), c.at == nil
}

// giveUp takes c out of the line. It returns err, unless c was granted before.
func (c *claim) giveUp(err error) error {
	c.l.lock("Wait")
	defer c.l.unlock()
	if c.at == nil {
		return c.err
	}
	c.leave(c)
	c.l.root.serve(nil)
	return err
}

// serve walks the line, up to a claim that waits at the root: it grants callers that are in
// front of their queues and due, and wakes those that have to look at another instant than
// they know. It does not wake self, the caller of which is here.
func (root *Limiter) serve(self *claim) {
	root.keepPromises()
	root.round++
	for node := root.claims.Front(); node != nil && root.blocked != root.round; {
		c := node.Value
		node = node.Next()
		at, delay := c.obstacle()
		switch {
		case at != nil:
			c.at = at
			for m := c.l; m != at.parent; m = m.parent {
				m.blocked = root.round
			}
			c.wakeAt(delay, self)
		case c.wake == nil:
			c.pay()
		default:
			c.l.spend(c.n)
			c.leave(self)
		}
	}
}

// obstacle returns the first limiter that does not let c pass, and for how long; Never if a
// claim is in front of c there.
func (c *claim) obstacle() (at *Limiter, delay time.Duration) {
	c.l.advance()
	for m := c.l; m != nil; m = m.parent {
		if m.blocked == m.root.round {
			return m, Never
		}
		if d := due(m.windows, c.n); d > 0 && c.wake != nil {
			return m, d
		}
	}
	return nil, 0
}

// wakeAt lets the caller of c look again after a delay.
func (c *claim) wakeAt(delay time.Duration, self *claim) {
	due := int64(Never)
	if delay < Never {
		due = c.l.root.now + int64(delay)
	}
	if c.wake == nil || due == c.due {
		return
	}
	if c.due = due; c != self {
		sched.Signal(c.wake)
	}
}

// waitsAt reports whether c is in the queue of l.
func (c *claim) waitsAt(l *Limiter) bool {
	for m := c.l; c.at != nil && m != c.at.parent; m = m.parent {
		if m == l {
			return true
		}
	}
	return false
}

// leave takes c out of the line, and wakes its caller if that is not self's.
func (c *claim) leave(self *claim) {
	c.l.root.claims.Remove(c.node)
	c.at = nil
	c.l.inLine--
	switch {
	case c.wake == nil:
		c.l.root.reservations--
	case c != self:
		sched.Signal(c.wake)
	}
}

// reconsider is for changes of limits: it ends the calls that will never be granted, and
// serves the others.
func (root *Limiter) reconsider() {
	for node := root.claims.Front(); node != nil; {
		c := node.Value
		node = node.Next()
		if c.wake == nil {
			continue
		}
		if c.err = c.l.refuses(c.n); c.err != nil {
			c.leave(nil)
		}
	}
	root.serve(nil)
}

// refuses returns the reason why n permits will never be granted, as things are.
func (l *Limiter) refuses(n uint64) error {
	for m := l; m != nil; m = m.parent {
		if m.closed {
			return ErrClosed
		}
		for _, w := range m.windows {
			if n > w.burst {
				return fmt.Errorf("%w: asked for %d, the burst is %d", ErrExceedsBurst, n, w.burst)
			}
		}
	}
	return nil
}

// tooLate returns an error if a delay goes beyond a deadline.
func tooLate(n uint64, delay, left time.Duration) error {
	switch {
	case delay <= left:
		return nil
	case delay == Never:
		return fmt.Errorf("ratelimit: %d permits will not come before the deadline in %v: %w", n, left, context.DeadlineExceeded)
	}
	return fmt.Errorf("ratelimit: %d permits take %v, the deadline is in %v: %w", n, delay, left, context.DeadlineExceeded)
}
