package redislimit

import (
	"context"
	"fmt"
	"time"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/ratelimit"
)

// A line is those who wait for a key in this process. Only the one in front asks
// Redis: it has put the token into turn, a channel of capacity 1, at which the others
// are parked; channels serve them first come, first served. The line is gone with the
// last of them, refs is guarded by the lock of the shard.
type line struct {
	turn chan struct{}
	refs int
}

// lookAgain bounds how long who waits does not ask: somebody may have forgotten the
// key.
const lookAgain = 10 * time.Second

// Wait waits for one permit of k, behind all who wait for k in this process; those in
// other processes are not known, and who asks by Take may overtake. It returns nil
// when the permit is granted, and otherwise the cause of ctx, an error that wraps
// [ratelimit.ErrExceedsBurst] if the burst is 0, or one of those of Take. If the
// deadline of ctx comes before the permit, it returns an error that wraps
// [context.DeadlineExceeded], as soon as it comes to the front. With a rate of 0 it
// waits until somebody forgets k, or ctx ends. It panics if ctx is nil.
func (l *Limiter[K]) Wait(ctx context.Context, k K) error {
	ctxselect.Require(ctx, "redislimit: Wait")
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	sh := l.shardOf(k)
	x := sh.lineUp(k)
	defer sh.leave(k, x)
	if err := ctxselect.Send(ctx, x.turn, struct{}{}); err != nil {
		return err
	}
	defer func() { <-x.turn }()
	for {
		d, err := l.take(ctx, k, 1)
		if d.OK || err != nil {
			return err
		}
		if d.RetryAfter == ratelimit.Never && l.limitsIn(sh, k).burst == 0 {
			return fmt.Errorf("%w: asked for 1, the burst is 0", ratelimit.ErrExceedsBurst)
		}
		if deadline, ok := ctx.Deadline(); ok {
			if left := time.Until(deadline); d.RetryAfter > left {
				return tooLate(d.RetryAfter, left)
			}
		}
		if err := sleep(ctx, min(d.RetryAfter, lookAgain)); err != nil {
			return err
		}
	}
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

func (sh *shard[K]) lineUp(k K) *line {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	x := sh.lines[k]
	if x == nil {
		if sh.lines == nil {
			sh.lines = map[K]*line{}
		}
		x = &line{turn: make(chan struct{}, 1)}
		sh.lines[k] = x
	}
	x.refs++
	sh.waiting++
	return x
}

func (sh *shard[K]) leave(k K, x *line) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.waiting--
	if x.refs--; x.refs == 0 {
		delete(sh.lines, k)
	}
}
