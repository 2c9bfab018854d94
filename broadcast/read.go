package broadcast

import (
	"context"
	"errors"
	"iter"
	"runtime"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/sched"
)

// resume returns the number of the value with which s goes on behind held.
func (s *Subscription[T]) resume(sent uint64) uint64 {
	at := max(s.held, s.first)
	if sent-at <= s.capacity {
		return at
	}
	switch s.policy {
	case SkipToLatest:
		return sent - 1
	case Disconnect:
		return sent
	}
	return sent - s.capacity
}

// holdLocked returns the values from number at on that can be read now, up to n of one
// chunk, or an error. It returns none, and nil, if there is nothing to do
// but wait. Readers claim them before they take them. With more, holdLocked
// returns nothing in the place of a gap or the end. The values can be read at the
// instant at which it loads published; the context of s has not ended then.
func (s *Subscription[T]) holdLocked(n int, more bool) (at uint64, vs []T, err error) {
	if s.b == nil {
		return 0, nil, s.err
	}
	for {
		word := s.b.log.published.Load()
		sent := word / publishOne
		if sched.Ended(s.done) { // after the look, or it could have seen what was sent since
			return 0, nil, errExpired
		}
		if at = s.at(); at < s.held { // held for another reader, or for a walk that was left
			c := s.chunk
			return at, c.items[at-c.base : s.held-c.base], nil
		}
		h, next := s.b.log.holes.Load(), s.resume(sent)
		before, limit := s.passed, sent
		if h.all() != before {
			before, limit = h.upTo(next, sent)
			if s.b.log.first.Load().base > next { // the log has moved on, and may have forgotten holes
				continue
			}
		}
		gap := next != at || before != s.passed
		switch {
		case gap && more, sent == at && !gap && word&closed == 0:
			return at, nil, nil
		case next == sent && next != at: // Disconnect
			return at, nil, ErrSlow
		case gap:
			return at, nil, s.passLocked(before, next)
		case sent == at:
			return at, nil, ErrClosed
		}
		c := s.chunk
		switch {
		case c == nil:
			c = s.b.log.find(at)
		case at == c.end():
			c = c.after()
		}
		if s.chunk = c; c != nil {
			s.held = min(limit, c.end(), at+uint64(n))
			s.delivered += s.held - at
			return at, c.items[at-c.base : s.held-c.base], nil
		}
		// Cut off between the two looks: now there is a gap.
	}
}

// passLocked goes on with the value with number next, behind a gap. It returns the gap. Before is
// all that is missing in the log itself up to there.
func (s *Subscription[T]) passLocked(before loss, next uint64) error {
	inLog := before.minus(s.passed)
	gap := &GapError{Missed: next - s.held + inLog.lost, AtLeast: inLog.unknown > 0}
	s.passed = before
	s.missed += gap.Missed
	if next != s.held {
		s.held, s.chunk = next, nil
		s.pos.Store(next * publishOne) // under the lock, and nothing was held: no other reader moves it
	}
	return gap
}

// errExpired is returned by holdLocked when the context of the subscription has
// ended. The caller calls expire, without the lock.
var errExpired = errors.New("broadcast: context of a subscription has ended")

// hold is holdLocked that waits, unless with more, and then returns the reason if s has ended.
func (s *Subscription[T]) hold(ctx context.Context, n int, more bool) (at uint64, vs []T, err error) {
	for tries := 0; ; tries++ {
		if sched.Err(ctx) != nil {
			return 0, nil, context.Cause(ctx)
		}
		s.mu.Lock()
		if at, vs, err = s.holdLocked(n, more); len(vs) > 0 || err != nil || more {
			s.mu.Unlock()
			break
		}
		if tries == 0 { // where many keep up there are values by then, and no reader has to be woken
			s.mu.Unlock()
			runtime.Gosched()
			continue
		}
		if s.gone == nil { // made here, so that it belongs to the same testing/synctest bubble
			s.gone = make(chan struct{})
		}
		b, passed, gone := s.b, s.passed, s.gone
		s.mu.Unlock()
		if news := b.news(at, passed); news != nil {
			sched.ParkCtxOr(ctx, news, gone)
		}
	}
	switch err {
	case ErrSlow:
		err = s.close(ErrSlow)
	case errExpired:
		err = s.expire()
	}
	return at, vs, err
}

// claim takes n of the values that are held, from number at on. It reports false if
// another reader has taken the first, or s has ended.
func (s *Subscription[T]) claim(at uint64, n int) bool {
	if !s.pos.CompareAndSwap(at*publishOne, (at+uint64(n))*publishOne) {
		return false
	}
	if s.marked.Load() { // after the move, see limitLocked
		if b := s.log(); b != nil {
			b.moved(s)
		}
	}
	return true
}

// read copies the values that can be read into dst, and waits for the first.
func (s *Subscription[T]) read(ctx context.Context, dst []T) (n int, err error) {
	for n < len(dst) {
		at, vs, err := s.hold(ctx, len(dst)-n, n > 0)
		switch {
		case len(vs) == 0 && n > 0:
			return n, nil
		case len(vs) == 0:
			return 0, err
		}
		if k := copy(dst[n:], vs); s.claim(at, k) {
			if n += k; len(vs) < cap(vs) { // that was all there was when it looked
				break
			}
		}
	}
	return n, nil
}

// All walks the values:
//
//	for v, err := range s.All(ctx) { … }
//
// A *GapError is yielded in the place where values are missing, with the zero value,
// and the walk goes on. Any other error is the last pair: ErrSlow, the cause of ctx, or
// an error that wraps ErrClosed and the cause of the context of the subscription. The
// walk ends without one when Next would return ErrClosed itself.
//
// Leaving the walk leaves the subscription open: another reader goes on behind the last
// value that was yielded. The walk looks at the log once for up to a chunk of values;
// those stay readable, whatever is sent meanwhile, and cost an atomic operation each.
// All panics if ctx is nil.
func (s *Subscription[T]) All(ctx context.Context) iter.Seq2[T, error] {
	ctxselect.Require(ctx, "broadcast: All")
	s.require("broadcast: All")
	return func(yield func(T, error) bool) {
		done := ctx.Done()
		for {
			at, vs, err := s.hold(ctx, largest, false)
			if err == ErrClosed {
				return
			}
			if err != nil {
				var none T
				if _, gap := err.(*GapError); !yield(none, err) || !gap {
					return
				}
				continue
			}
			for i, v := range vs {
				if done != nil && sched.Ended(done) || s.done != nil && sched.Ended(s.done) || !s.claim(at+uint64(i), 1) {
					break // hold tells why, or another reader has gone on
				}
				if !yield(v, nil) {
					return
				}
			}
		}
	}
}
