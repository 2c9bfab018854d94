package ratelimit

import (
	"context"
	"fmt"
	"time"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/lineup"
	"github.com/tandemgo/tandem/internal/point"
)

// Wait waits for one permit. See WaitN.
func (l *Limiter) Wait(ctx context.Context) error { return l.WaitN(ctx, 1) }

// WaitN waits until n permits can be had, behind all who wait already, and takes
// them. It returns nil when they are granted, and otherwise has taken nothing:
// the cause of ctx if that ends first, ErrStopped, or an error that wraps
// ErrExceedsBurst. If the deadline of ctx comes before the permits, it returns
// at once with an error that wraps [context.DeadlineExceeded]. With a rate of 0
// it waits until SetRate, Stop or ctx change that. It panics if ctx is nil or n
// is less than 1.
//
// What is granted at the same moment as ctx ends is granted.
func (l *Limiter) WaitN(ctx context.Context, n int) error {
	ctxselect.Require(ctx, "ratelimit: WaitN")
	k := checkN("WaitN", n)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if v, _, _ := l.meter.Load().take(k); v == granted {
		return nil
	}
	deadline, limited := ctx.Deadline()
	w, err := l.lineUp(k, deadline, limited)
	if w == nil || err != nil {
		return err
	}
	lineup.Placed(ctx)
	return l.await(ctx, w)
}

// lineUp grants n permits at once, in which case it returns nil, or puts a new
// waiter at the end of the line, or says why there is no point in that.
func (l *Limiter) lineUp(n uint64, deadline time.Time, limited bool) (*waiter, error) {
	l.lock()
	defer l.unlock()
	if l.allowLocked(n) {
		return nil, nil
	}
	if l.stopped {
		return nil, ErrStopped
	}
	if n > l.bucket.burst && !l.bucket.rate.unlimited {
		return nil, exceeds(n, l.bucket.burst)
	}
	if limited {
		if err := tooLate(n, l.delayLocked(n), deadline); err != nil {
			return nil, err
		}
	}
	w := &waiter{n: n, wake: make(chan struct{}, 1)}
	w.node = l.waiters.PushBack(w)
	return w, nil
}

// tooLate returns an error if a delay goes beyond the deadline.
func tooLate(n uint64, delay time.Duration, deadline time.Time) error {
	left := time.Until(deadline)
	switch {
	case delay <= left:
		return nil
	case delay == Never:
		return fmt.Errorf("ratelimit: %d permits will not come before the deadline in %v: %w", n, left, context.DeadlineExceeded)
	}
	return fmt.Errorf("ratelimit: %d permits take %v, the deadline is in %v: %w", n, delay, left, context.DeadlineExceeded)
}

// await parks until w is done or ctx has ended.
func (l *Limiter) await(ctx context.Context, w *waiter) error {
	var alarm alarm
	defer alarm.stop()
	for {
		point.At("ratelimit: waiter before it looks")
		done, delay, err := l.look(w)
		if done {
			return err
		}
		point.At("ratelimit: waiter before it parks")
		select {
		case <-w.wake:
		case <-alarm.in(delay):
		case <-ctx.Done():
			point.At("ratelimit: waiter before it leaves")
			if done, err := l.leave(w); done {
				return err
			}
			return context.Cause(ctx)
		}
	}
}

// look returns whether w is done. If it is in front, it grants all who are due
// first, and returns how long w has to wait; otherwise that is Never.
func (l *Limiter) look(w *waiter) (done bool, delay time.Duration, err error) {
	l.mu.Lock()
	if w.done || l.waiters.Front().Value != w {
		defer l.mu.Unlock()
		return w.done, Never, w.err
	}
	l.settleLocked(time.Since(l.base)) // the word is shut
	defer l.unlock()
	l.grantLocked()
	if w.done {
		l.wakeFrontLocked()
		return true, 0, w.err
	}
	at, ok := l.bucket.earliest(w.n, l.bucket.last)
	if !ok {
		return false, Never, nil
	}
	return false, at - l.bucket.last, nil
}

// leave takes w out of the line, unless it is done. Those behind it move up.
func (l *Limiter) leave(w *waiter) (done bool, err error) {
	l.lock()
	defer l.unlock()
	if w.done {
		return true, w.err
	}
	l.waiters.Remove(w.node)
	l.wakeFrontLocked()
	return false, nil
}
