package redislimit

import (
	"container/list"
	"context"
	"fmt"
	"math/bits"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

// A line is the callers that wait for a key in this process, first come, first served.
// Only the one in front asks Redis, once: it takes its permits for later and sleeps until
// they are due. So a process that ends leaves no more behind than the permits of one
// caller, and a caller that gives up costs nothing while others are in front of it. If the
// one in front gives up, the next gets its permits. The others are parked on channels
// of their own. The lock of the limiter guards the line, which is gone with the last of them.
type line struct {
	callers list.List // of *waiter, the one in front included
	queued  uint64    // permits of those that have no answer yet

	// So many permits of a ticket were given up by a caller in front. Only the one in front
	// uses these, without the lock.
	left   uint64
	ticket ticket

	// The debts when a caller in front was told to wait: a bound of when those behind are
	// due. nil if that is not known.
	limits *limits
	debts  []amount
	asked  time.Duration
}

// A waiter is a caller in a line.
type waiter struct {
	n, queued uint64 // permits, and how many of them are in the queued of the line
	deadline  time.Time
	limited   bool          // by the deadline
	ready     chan struct{} // closed when it is in front, or err is set
	err       error
	node      *list.Element
}

const (
	// forever is how long a caller without a deadline waits: 146 years.
	forever = time.Duration(1) << 62
	// lookAgain bounds how long a caller does not ask that could not take its permits for
	// later: the key may have been forgotten.
	lookAgain = 10 * time.Second
)

// Wait is [Limiter.WaitN] for one permit.
func (l *Limiter[K]) Wait(ctx context.Context, k K) error {
	return l.wait(ctx, "Wait", k, 1)
}

// WaitN waits for n permits of k. It returns nil when they are granted. Callers in one
// process are served first come, first served. A caller asks Redis once, when it comes to
// the front: its permits are then taken, also from callers of Take and from those in other
// processes, and it sleeps until they are due.
//
// If ctx ends first, WaitN returns the cause of ctx, and the permits go to the next caller
// of this process. If there is none, they are given back, unless permits of k were granted
// after them; then they are lost. If the deadline of ctx comes before the permits, WaitN
// returns an error that wraps [context.DeadlineExceeded] as soon as that is known, and
// spends nothing. If n is more than the burst, it returns an error that wraps
// [ratelimit.ErrExceedsBurst]. Its other errors are those of Take. With a rate of 0 it
// waits until k is forgotten, for which it asks every ten seconds, or until ctx ends. It
// panics if ctx is nil or n is less than 1.
func (l *Limiter[K]) WaitN(ctx context.Context, k K, n int) error {
	return l.wait(ctx, "WaitN", k, n)
}

func (l *Limiter[K]) wait(ctx context.Context, call string, k K, number int) error {
	if err := l.begin(ctx, call, number, 1); err != nil {
		return err
	}
	n := uint64(number)
	w := &waiter{n: n, queued: n, ready: make(chan struct{})}
	w.deadline, w.limited = ctx.Deadline()
	x, err := l.lineUp(k, w)
	if err != nil {
		return l.fails(err)
	}
	defer func() { l.leave(ctx, k, x, w) }()
	if err = receive(ctx, w.ready); err == nil {
		err = w.err
	}
	if err != nil {
		return l.fails(err)
	}
	for {
		until := forever
		if w.limited {
			until = min(time.Until(w.deadline), forever)
		}
		a, err := l.claimInFront(ctx, k, x, w, max(until, 1))
		switch {
		case err != nil:
			return err
		case a.OK:
			return l.sleepInFront(ctx, x, n, a.ticket)
		case n > a.limits.burst:
			return exceedsBurst(n, a.limits)
		case w.limited && a.RetryAfter > until:
			return tooLate(a.RetryAfter, until)
		}
		if err := sleep(ctx, min(a.RetryAfter, lookAgain)); err != nil {
			return err
		}
	}
}

func exceedsBurst(n uint64, p *limits) error {
	return fmt.Errorf("%w: asked for %d, the burst is %d", ratelimit.ErrExceedsBurst, n, p.burst)
}

func tooLate(delay, left time.Duration) error {
	if delay == ratelimit.Never {
		return fmt.Errorf("redislimit: a permit will not come before the deadline in %v: %w", left, context.DeadlineExceeded)
	}
	return fmt.Errorf("redislimit: a permit takes %v, the deadline is in %v: %w", delay, left, context.DeadlineExceeded)
}

// sleep sleeps, unless the deadline of ctx comes before.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok && d > time.Until(deadline) {
		return tooLate(d, time.Until(deadline))
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	return receive(ctx, timer.C)
}

// receive receives from ch, or returns the cause of ctx if that ends first.
func receive[T any](ctx context.Context, ch <-chan T) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case <-ch:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// lineUp puts a caller at the end of the line. The caller must leave then.
func (l *Limiter[K]) lineUp(k K, w *waiter) (*line, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.lines[k]
	if x == nil {
		x = &line{}
		l.lines[k] = x
		close(w.ready)
	} else if err := x.tooLate(w, x.queued, l.now()); err != nil {
		return nil, err
	}
	w.node = x.callers.PushBack(w)
	x.queued += w.n
	l.stats.Waiting++
	return x, nil
}

// leave takes a caller out of the line. If it was in front, the next one is.
func (l *Limiter[K]) leave(ctx context.Context, k K, x *line, w *waiter) {
	l.mu.Lock()
	l.stats.Waiting--
	x.queued -= w.queued
	front := x.callers.Front() == w.node
	x.callers.Remove(w.node)
	if next := x.callers.Front(); next != nil {
		defer l.mu.Unlock()
		if w := next.Value.(*waiter); front && w.err == nil {
			close(w.ready)
		}
		return
	}
	delete(l.lines, k)
	l.mu.Unlock()
	if x.left > 0 {
		x.ticket.n = min(x.ticket.n, x.left)
		_, _ = l.giveBack(context.WithoutCancel(ctx), k, x.ticket, x.ticket.n)
	}
}

// claimInFront makes a claim for w, in front, with the permits that another has given up.
func (l *Limiter[K]) claimInFront(ctx context.Context, k K, x *line, w *waiter, wait time.Duration) (a answer, err error) {
	asked, rest := l.now(), x.left
	if rest >= w.n {
		if delay := x.ticket.due - asked; delay > wait {
			return a, l.fails(tooLate(delay, wait))
		}
		x.left -= w.n
		l.mu.Lock()
		defer l.mu.Unlock()
		l.countLocked(true)
		a.OK, a.ticket = true, x.ticket
		return a, nil
	}
	a, err = l.take(ctx, k, claim{n: w.n - rest, wait: wait})
	if err != nil || !a.OK {
		return a, err
	}
	if rest > 0 {
		a.ticket.due, x.left = max(a.ticket.due, x.ticket.due), 0
	}
	if a.ticket.mark != nil && a.ticket.due > l.now() {
		l.answered(x, w, a, asked)
	}
	return a, nil
}

// answered notes the debts when w, in front, has been told when its permits are due. Those
// behind it whose deadline is too soon are told so.
func (l *Limiter[K]) answered(x *line, w *waiter, a answer, asked time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := x.debts != nil
	x.limits, x.debts, x.asked = a.limits, a.ticket.debts, asked
	x.queued, w.queued = x.queued-w.queued, 0
	if known { // when they came
		return
	}
	now, ahead := l.now(), uint64(0)
	for node := w.node.Next(); node != nil; node = node.Next() {
		w := node.Value.(*waiter)
		if w.err = x.tooLate(w, ahead, now); w.err != nil {
			x.queued, w.queued = x.queued-w.queued, 0
			close(w.ready)
		}
		ahead += w.queued
	}
}

// tooLate returns an error if the permits of w, behind so many others, are not due before its
// deadline, as far as is known.
func (x *line) tooLate(w *waiter, ahead uint64, now time.Duration) error {
	if !w.limited || x.debts == nil {
		return nil
	}
	n, until, delay := ahead+w.n, time.Until(w.deadline), time.Duration(0)
	for i := range x.limits.windows {
		w := &x.limits.windows[i]
		if hi, lo := bits.Mul64(n, w.step.whole+1); hi > 0 || lo > 1<<exactBits {
			delay = ratelimit.Never
			break
		}
		debt := w.after(x.debts[i], micros(now-x.asked))
		delay = max(delay, w.late(w.add(debt, w.cost(n))))
	}
	if delay > until {
		return tooLate(delay, until)
	}
	return nil
}

// sleepInFront sleeps until n permits of a ticket are due. If ctx ends first, they are left to
// others.
func (l *Limiter[K]) sleepInFront(ctx context.Context, x *line, n uint64, t ticket) error {
	err := sleep(ctx, t.due-l.now())
	if err == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Granted--
	l.stats.Errors++
	x.left, x.ticket, x.debts = x.left+n, t, nil
	return err
}
