package ratelimit

import (
	"context"
	"fmt"
	"time"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/fifo"
	"github.com/tandemgo/tandem/internal/lineup"
	"github.com/tandemgo/tandem/internal/sched"
)

// A claim is a caller that waits, or a reservation made behind one.
type claim struct {
	n       uint64
	wake    chan struct{}        // nil: a reservation
	places  []*fifo.Node[*claim] // in the lines of the limiter and its parents, as far as it has come
	watches []*fifo.Node[*claim] // of a caller, at the parents
	err     error                // of a caller that will never be granted
	at      int64                // the instant of a reservation
	spent   uint64               // the limiter's, after the reservation was charged; 0: it is in the line
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
	k := checkN("WaitN", n)
	if sched.Err(ctx) != nil {
		return context.Cause(ctx)
	}
	if v, _ := l.meter.Load().take(k); v == granted {
		return nil
	}
	deadline, limited := ctx.Deadline()
	c, err := l.lineUp(k, deadline, limited)
	if c == nil {
		return err
	}
	lineup.Placed(ctx)
	for {
		done, delay, err := l.look(c)
		if done {
			return err
		}
		if err := park(ctx, c.wake, delay); err != nil {
			l.lock()
			l.leave(c, 0)
			l.unlock()
			return err
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
	l.lock()
	defer l.unlock()
	if l.take(n) {
		return nil, nil
	}
	if err := l.refuses(n); err != nil {
		return nil, err
	}
	if limited {
		if err := tooLate(n, l.delay(n), time.Until(deadline)); err != nil {
			return nil, err
		}
	}
	c := &claim{n: n, wake: make(chan struct{}, 1)}
	c.join(l)
	for _, m := range l.chain[1:] {
		c.watches = append(c.watches, m.watchers.PushBack(c))
	}
	l.waits++
	return c, nil
}

// refuses returns the reason why n permits will never be granted, as things are.
func (l *Limiter) refuses(n uint64) error {
	for _, m := range l.chain {
		if m.closed {
			return ErrClosed
		}
		for i := range m.windows {
			if w := &m.windows[i]; n > w.burst && !w.Rate.unlimited {
				return exceeds(n, w.burst)
			}
		}
	}
	return nil
}

func exceeds(n, burst uint64) error {
	return fmt.Errorf("%w: asked for %d, the burst is %d", ErrExceedsBurst, n, burst)
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

// join puts c at the end of the line of the next limiter of its chain.
func (c *claim) join(l *Limiter) {
	c.places = append(c.places, l.line.PushBack(c))
}

// leave takes c out of the lines from a level on. From level 0 on, c is done.
func (l *Limiter) leave(c *claim, level int) {
	for i, n := range c.watches {
		if level == 0 {
			l.chain[i+1].watchers.Remove(n)
		}
	}
	for i := level; i < len(c.places); i++ {
		l.chain[i].line.Remove(c.places[i])
		l.chain[i].advanceLine(false)
	}
	c.places = c.places[:min(level, len(c.places))]
}

// advanceLine charges the reservations that have come to the front, or all of them, which
// so overtake the callers that wait.
func (l *Limiter) advanceLine(all bool) {
	for n := l.line.Front(); n != nil && (all || n.Value.wake == nil); {
		next := n.Next()
		if c := n.Value; c.wake == nil {
			l.line.Remove(n)
			l.reserved(c.n, time.Duration(c.at-l.windows[0].last))
			c.spent = l.spent
			l.behind--
		}
		n = next
	}
	l.changed = true
}

// look grants c its permits if it is in front and they are due, in the lines of all of the
// chain. Otherwise it returns the time until c has to look again; Never if c is woken.
func (l *Limiter) look(c *claim) (done bool, delay time.Duration, err error) {
	l.lock()
	defer l.unlock()
	if c.err != nil {
		l.leave(c, 0)
		return true, 0, c.err
	}
	for i, m := range l.chain {
		if i == len(c.places) {
			c.join(m)
		}
		delay = Never
		if m.line.Front().Value == c {
			delay = m.dueHere(c.n)
		}
		if delay > 0 {
			l.leave(c, i+1)
			return false, delay, nil
		}
	}
	l.spend(c.n)
	l.leave(c, 0)
	return true, 0, nil
}

// keepPromises lets reservations overtake callers that have come so late that the instants
// of the reservations would be too soon.
func (l *Limiter) keepPromises() {
	ahead := uint64(0)
	for p := range l.line.All() {
		ahead += p.n
		for i := range l.windows {
			w := &l.windows[i]
			if p.wake == nil && w.time(w.charged(w.debt, ahead)-min(w.capacity, w.charged(w.debt, ahead))) > time.Duration(p.at-w.last) {
				l.advanceLine(true)
				return
			}
		}
	}
}

// wakeAll lets all that wait look again. Those that will never be granted lose their places.
func (l *Limiter) wakeAll() {
	for n := l.line.Front(); n != nil; {
		c, next := n.Value, n.Next()
		if c.wake != nil {
			if c.err = l.refuses(c.n); c.err != nil {
				l.line.Remove(n)
			}
			sched.Signal(c.wake)
		}
		n = next
	}
	for c := range l.watchers.All() {
		if c.err == nil {
			c.err = l.refuses(c.n)
		}
		sched.Signal(c.wake)
	}
	if l.line.Len() > 0 {
		l.advanceLine(false)
	}
}
