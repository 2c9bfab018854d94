package redislimit

import (
	"context"
	"fmt"
	"math/bits"
	"time"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/fifo"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/ratelimit"
)

// A line is the callers that wait for a key in this process, first come, first served.
// Only the one in front asks Redis, once: it takes its permits for later and sleeps until
// they are due. So a process that ends leaves no more behind than the permits of one
// caller, and a caller that gives up costs nothing while others are in front of it. If the
// one in front gives up, the next gets its permits. The others are parked on channels
// of their own. The lock of the shard guards all of it; the line is gone with the last of
// them.
type line struct {
	parked fifo.List[*waiter] // behind the one in front
	queued uint64             // permits of those that have no answer yet
	left   left

	// The debts when a caller in front was told to wait: a bound of when those behind are
	// due. nil if that is not known.
	limits *limits
	debts  []amount
	asked  time.Duration
}

// A waiter is a caller that is not in front.
type waiter struct {
	n     uint64
	ctx   context.Context
	ready chan struct{} // closed when it is in front, or err is set
	err   error
}

// left is permits that a caller in front has given up, and when they are due.
type left struct {
	n      uint64
	due    time.Duration
	ticket ticket
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
	ctxselect.Require(ctx, "redislimit: Wait")
	return l.wait(ctx, k, 1)
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
	ctxselect.Require(ctx, "redislimit: WaitN")
	misuse.Below(n, 1, "redislimit: WaitN: number")
	return l.wait(ctx, k, uint64(n))
}

func (l *Limiter[K]) wait(ctx context.Context, k K, n uint64) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	sh := l.shardOf(k)
	x, err := l.lineUp(ctx, sh, k, n)
	if err != nil {
		return err
	}
	answered := false
	defer func() { l.leave(ctx, sh, k, x, n, answered) }()
	for {
		until := forever
		deadline, hurried := ctx.Deadline()
		if hurried {
			until = min(time.Until(deadline), forever)
		}
		asked := l.now()
		a, due, err := l.claimInFront(ctx, sh, k, x, claim{n: n, wait: max(until, 1)})
		switch {
		case err != nil:
			return err
		case a.OK:
			answered = true
			l.answered(sh, x, n, a, asked)
			return l.sleepInFront(ctx, sh, x, n, due, a.ticket)
		case n > a.limits.burst:
			return exceedsBurst(n, a.limits)
		case hurried && a.RetryAfter > until:
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

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	_, _, err := ctxselect.Recv(ctx, timer.C)
	return err
}

// lineUp returns the line when the caller is in front. The caller must leave then.
func (l *Limiter[K]) lineUp(ctx context.Context, sh *shard[K], k K, n uint64) (*line, error) {
	sh.mu.Lock()
	x := sh.lines[k]
	if x == nil {
		if sh.lines == nil {
			sh.lines = map[K]*line{}
		}
		sh.lines[k] = &line{queued: n}
		sh.stats.Waiting++
		defer sh.mu.Unlock()
		return sh.lines[k], nil
	}
	if err := x.tooLate(ctx, x.queued, n, l.now()); err != nil {
		sh.stats.Errors++
		sh.mu.Unlock()
		return nil, err
	}
	w := &waiter{n: n, ctx: ctx, ready: make(chan struct{})}
	node := x.parked.PushBack(w)
	x.queued += n
	sh.stats.Waiting++
	sh.mu.Unlock()
	_, _, err := ctxselect.Recv(ctx, w.ready)
	if err == nil && w.err == nil {
		return x, nil
	}
	sh.mu.Lock()
	sh.stats.Errors++
	if w.err == nil && !x.parked.Remove(node) { // it has just come to the front
		sh.mu.Unlock()
		l.leave(ctx, sh, k, x, n, false)
		return nil, err
	}
	defer sh.mu.Unlock()
	sh.stats.Waiting--
	x.queued -= n
	if w.err != nil {
		return nil, w.err
	}
	return nil, err
}

// leave ends the turn of the caller in front.
func (l *Limiter[K]) leave(ctx context.Context, sh *shard[K], k K, x *line, n uint64, answered bool) {
	sh.mu.Lock()
	sh.stats.Waiting--
	if !answered {
		x.queued -= n
	}
	if w, ok := x.parked.Pop(); ok {
		close(w.ready)
		sh.mu.Unlock()
		return
	}
	delete(sh.lines, k)
	sh.mu.Unlock()
	if rest := x.left; rest.n > 0 && rest.ticket.mark != nil {
		rest.ticket.n = min(rest.ticket.n, rest.n)
		_, _ = l.giveBack(context.WithoutCancel(ctx), k, rest.ticket, rest.ticket.n)
	}
}

// claimInFront makes a claim for the caller in front, with the permits that another has given up. It
// returns when the permits are due.
func (l *Limiter[K]) claimInFront(ctx context.Context, sh *shard[K], k K, x *line, c claim) (a answer, due time.Duration, err error) {
	sh.mu.Lock()
	rest := x.left // which only the caller in front changes
	if rest.n >= c.n {
		a.OK, a.ticket, due = true, rest.ticket, rest.due
		if delay := due - l.now(); delay > c.wait {
			sh.stats.Errors++
			sh.mu.Unlock()
			return a, 0, tooLate(delay, c.wait)
		}
		x.left.n -= c.n
		sh.countLocked(true)
		sh.mu.Unlock()
		return a, due, nil
	}
	sh.mu.Unlock()
	c.n -= rest.n
	a, err = l.take(ctx, sh, k, c)
	if err != nil || !a.OK {
		return a, 0, err
	}
	if due = l.now() + a.delay; rest.n > 0 {
		due = max(due, rest.due)
		sh.mu.Lock()
		x.left = left{}
		sh.mu.Unlock()
	}
	return a, due, nil
}

// answered notes the debts when the caller in front has been told when its permits are
// due. Those behind it whose deadline is too soon are told so.
func (l *Limiter[K]) answered(sh *shard[K], x *line, n uint64, a answer, asked time.Duration) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	x.queued -= n
	if a.delay == 0 || a.ticket.mark == nil {
		return
	}
	known := x.debts != nil
	x.limits, x.debts, x.asked = a.limits, a.ticket.debts, asked
	if known { // when they came
		return
	}
	now, ahead := l.now(), uint64(0)
	for node := x.parked.Front(); node != nil; {
		w, next := node.Value, node.Next()
		if w.err = x.tooLate(w.ctx, ahead, w.n, now); w.err != nil {
			x.parked.Remove(node)
			close(w.ready)
		} else {
			ahead += w.n
		}
		node = next
	}
}

// tooLate returns an error if n permits behind so many others are not due before the
// deadline of ctx, as far as is known.
func (x *line) tooLate(ctx context.Context, ahead, n uint64, now time.Duration) error {
	deadline, ok := ctx.Deadline()
	if !ok || x.debts == nil {
		return nil
	}
	until, delay := time.Until(deadline), time.Duration(0)
	for i := range x.limits.windows {
		w := &x.limits.windows[i]
		if w.unlimited {
			continue
		}
		if hi, lo := bits.Mul64(ahead+n, w.step.whole+1); hi > 0 || lo > 1<<exactBits {
			delay = ratelimit.Never
			break
		}
		debt := w.sub(x.debts[i], w.instant(micros(now-x.asked)))
		delay = max(delay, w.repaid(w.sub(w.add(debt, w.cost(ahead+n)), w.capacity)))
	}
	if delay > until {
		return tooLate(delay, until)
	}
	return nil
}

// sleepInFront sleeps until n permits are due. If ctx ends first, they are left to others.
func (l *Limiter[K]) sleepInFront(ctx context.Context, sh *shard[K], x *line, n uint64, due time.Duration, t ticket) error {
	delay := due - l.now()
	if delay <= 0 {
		return nil
	}
	var err error
	if deadline, ok := ctx.Deadline(); ok && delay > time.Until(deadline) { // the answer has taken its time
		err = tooLate(delay, time.Until(deadline))
	} else if err = sleep(ctx, delay); err == nil {
		return nil
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.stats.Granted--
	sh.stats.Errors++
	x.left = left{x.left.n + n, due, t}
	x.debts = nil
	return err
}
