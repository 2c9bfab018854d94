package inflight

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/shortlock"
)

// ErrClosed is returned by calls of Acquire at a limiter that has been closed.
var ErrClosed = errors.New("inflight: limiter closed")

// ErrExceedsLimit is wrapped by the error of a call that would wait for more weight than the
// limit, or than the minimum of an adaptive limiter: that may never be free.
var ErrExceedsLimit = errors.New("inflight: more weight than the limit")

// A Limiter bounds the weight that is in flight: that of all permits that have been acquired
// and not released. It is made by [New] or [NewAdaptive], must not be copied, and is safe for
// concurrent use.
type Limiter struct {
	// word is the free weight, the limit minus the weight in flight, shifted by one, and a bit,
	// slow. As long as slow is not set, Acquire takes weight from the word by compare-and-swap.
	// It is set while a caller waits or the limiter is closed, and then only a goroutine that
	// holds mu takes weight. Release always adds to the word, and looks at the bit in the
	// result: if it is set, the releaser locks mu and grants weight to the callers in front as
	// far as it is free.
	word  sched.Uint64
	limit sched.Uint64 // written under mu

	mu       shortlock.Mutex
	line     waiter     // the head of the ring of callers that wait
	waiting  int        // their number
	spare    sched.Pool // of waiters for reuse
	adaptive *adaptive  // nil: a fixed limit
	closed   bool
	waits    uint64

	dropped  sched.Counter
	base     time.Time
	ageing   float64                   // ns
	priority func(context.Context) int // nil: first come, first served
}

// An Option changes how [New] and [NewAdaptive] make a limiter. A nil Option is ignored.
type Option func(*Limiter)

// WithPriority grants weight to callers of higher priority before those of lower; 0 is the
// middle. The priority of a call is the result of priority for its context. It is asked only
// if the call has to wait, on the goroutine of the caller and with no lock held. So that no
// caller starves, a step of priority is worth no more than a wait of ageing: a caller goes
// before those of the next higher priority that come later than that. Callers of the same
// priority are served in the order in which they came.
//
// The default is first come, first served. WithPriority panics if ageing is not positive or
// if priority is nil.
func WithPriority(ageing time.Duration, priority func(ctx context.Context) int) Option {
	misuse.NotPositive(ageing, "inflight: WithPriority: ageing")
	misuse.Nil(priority == nil, "inflight: WithPriority: function")
	return func(l *Limiter) { l.ageing, l.priority = float64(ageing), priority }
}

// slow is the bit of the word that makes callers take the lock.
const slow = 1

// New returns a limiter with a fixed limit, which only [Limiter.SetLimit] changes. With a
// limit of 0, callers wait for another one; more than math.MaxInt/4 counts as that. New
// panics if limit is negative.
func New(limit int, opts ...Option) *Limiter {
	misuse.Negative(limit, "inflight: New: limit")
	l := &Limiter{base: time.Now(), spare: sched.Pool{New: func() any { return &waiter{wake: make(chan struct{}, 1)} }}}
	for _, opt := range opts {
		if opt != nil {
			opt(l)
		}
	}
	l.line.rank, l.line.prev, l.line.next = math.Inf(-1), &l.line, &l.line
	l.setLimit(limit)
	return l
}

// Acquire waits until weight is free, behind the callers that wait already, and takes it. It
// returns a permit, which has to be released. With an error it has taken nothing:
//
//   - the cause of ctx, if ctx ends first;
//   - [ErrClosed], or an error that wraps [ErrExceedsLimit].
//
// It panics if ctx is nil or weight is less than 1.
func (l *Limiter) Acquire(ctx context.Context, weight int) (Permit, error) {
	misuse.Nil(ctx == nil, "inflight: Acquire: context")
	misuse.Below(weight, 1, "inflight: Acquire: weight")
	if sched.Err(ctx) != nil {
		return Permit{}, context.Cause(ctx)
	}
	if !l.take(weight) {
		l.require("Acquire")
		if err := l.wait(ctx, weight); err != nil {
			return Permit{}, err
		}
	}
	return l.permit(weight), nil
}

// Limited returns fn with a permit of weight 1 around each call, for pool.New, pipeline.Map,
// fan.Map and others that take such a function: no more calls run at once than the limit of l
// says, as it changes. Make as many workers as the limit may become. outcome returns how a call
// has ended that returned err; nil means that a nil error is a [Success], and others are
// [Ignored]. A panic of fn is Ignored. An error of Acquire is returned as it is.
//
// A call that waits for another call of fn, while it has its permit, may wait for itself. Limited
// panics if l or fn is nil.
func Limited[In, Out any](l *Limiter, fn func(context.Context, In) (Out, error), outcome func(err error) Outcome) func(context.Context, In) (Out, error) {
	misuse.Nil(l == nil, "inflight: Limited: limiter")
	misuse.Nil(fn == nil, "inflight: Limited: function")
	return func(ctx context.Context, in In) (out Out, err error) {
		p, err := l.Acquire(ctx, 1)
		if err != nil {
			return out, err
		}
		defer p.Release(Ignored)
		out, err = fn(ctx, in)
		if outcome != nil {
			p.Release(outcome(err))
		} else if err == nil {
			p.Release(Success)
		}
		return out, err
	}
}

// TryAcquire takes weight if it is free now, and reports whether it did. It never overtakes a
// caller that waits. It panics if weight is less than 1.
func (l *Limiter) TryAcquire(weight int) (Permit, bool) {
	misuse.Below(weight, 1, "inflight: TryAcquire: weight")
	if !l.take(weight) {
		l.require("TryAcquire")
		return Permit{}, false
	}
	return l.permit(weight), true
}

// take takes weight from the word if it is free and nothing makes callers wait.
func (l *Limiter) take(weight int) bool {
	for old := l.word.Load(); old&slow == 0 && freeOf(old) >= weight; old = l.word.Load() {
		if l.word.CompareAndSwap(old, old-uint64(weight)<<1) {
			return true
		}
	}
	return false
}

// require panics if l was not made by a constructor. A zero Limiter has no free weight, so
// calls that find some need no check.
func (l *Limiter) require(call string) {
	misuse.Zero(l.base.IsZero(), "inflight: "+call, "Limiter", "New or NewAdaptive")
}

func freeOf(word uint64) int { return int(int64(word) >> 1) }

func (l *Limiter) inFlight() int { return l.Limit() - freeOf(l.word.Load()) }

// SetLimit changes the limit, from now on. Permits stay valid: after a lower limit,
// nothing is granted until enough has been released. Callers that wait are granted weight as
// far as a higher limit allows; one that waits for more than a lower limit gets an error that wraps
// [ErrExceedsLimit] when it is in front. With a limit of 0, callers wait for another one.
//
// An adaptive limiter goes on from limit, or from the value nearest to it in its range. SetLimit
// panics if limit is negative.
func (l *Limiter) SetLimit(limit int) {
	misuse.Negative(limit, "inflight: SetLimit: limit")
	l.require("SetLimit")
	l.mu.Lock()
	defer l.unlock()
	if a := l.adaptive; a != nil {
		a.limit, a.rising, a.drained = float64(limit), false, false
		a.begin()
		limit = a.effective()
	}
	l.setLimit(limit)
}

// setLimit needs mu. No one sees more in flight than the limit: a higher one is stored before
// its weight is free.
func (l *Limiter) setLimit(limit int) {
	limit, old := min(limit, math.MaxInt/4), l.Limit() // the word has fewer bits
	l.limit.Store(uint64(max(old, limit)))
	l.word.Add(uint64(limit-old) << 1)
	l.limit.Store(uint64(limit))
}

// Limit returns the present limit.
func (l *Limiter) Limit() int { return int(l.limit.Load()) }

// Close ends the limiter: callers that wait get [ErrClosed], and nothing is granted any more.
// Permits may still be released. It is idempotent and returns nil. A limiter needs no
// closing.
func (l *Limiter) Close() error {
	l.require("Close")
	l.mu.Lock()
	defer l.unlock()
	l.closed = true
	l.word.Or(slow)
	return nil
}

// refuses returns the reason why weight will never be granted, as things are.
func (l *Limiter) refuses(weight int) error {
	if l.closed {
		return ErrClosed
	}
	most := l.Limit()
	if l.adaptive != nil {
		most = l.adaptive.min
	}
	if weight > most && most > 0 {
		return fmt.Errorf("%w: asked for %d, the limit is %d", ErrExceedsLimit, weight, most)
	}
	return nil
}

// Stats is a snapshot of a [Limiter].
type Stats struct {
	Limit    int           // the weight that may be in flight
	InFlight int           // the weight that is
	Waiting  int           // callers that wait
	Waits    uint64        // calls that have had to wait, ever
	Dropped  uint64        // permits that were released as Dropped, ever
	Latency  time.Duration // mean of the last round of an adaptive limiter
	Unloaded time.Duration // what an adaptive limiter compares it with; 0 with AIMD
	Closed   bool          // whether Close was called
}

// Stats returns a snapshot. It costs a lock; Acquire and Release of a fixed limit go on
// meanwhile.
func (l *Limiter) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := Stats{Limit: l.Limit(), InFlight: l.inFlight(), Waiting: l.waiting, Waits: l.waits, Dropped: l.dropped.Load(), Closed: l.closed}
	if a := l.adaptive; a != nil {
		st.Latency, st.Unloaded = time.Duration(a.latency), time.Duration(a.base)
	}
	return st
}

// String returns text such as "3 of 8 in flight, 0 waiting, 12 waits, 0 dropped, latency 0s of 0s".
func (s Stats) String() string {
	text := fmt.Sprintf("%d of %d in flight, %d waiting, %d waits, %d dropped, latency %v of %v", s.InFlight, s.Limit, s.Waiting, s.Waits, s.Dropped, s.Latency, s.Unloaded)
	if s.Closed {
		text += ", closed"
	}
	return text
}
