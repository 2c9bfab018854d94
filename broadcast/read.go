package broadcast

import (
	"context"
	"errors"
	"iter"
	"runtime"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/sched"
)

// statsLocked returns the books of s when sent have been sent. It is called while s
// is open, or as it ends.
func (s *Subscription[T]) statsLocked(sent uint64) SubscriptionStats {
	unread := s.held - s.at()
	next := s.resume(sent)
	ahead := s.b.log.holes.Load().upTo(sent).minus(s.passed)
	return SubscriptionStats{
		Name: s.name, Caller: s.caller,
		Delivered: s.delivered - unread,
		Missed:    s.missed + next - s.held + ahead.lost,
		Backlog:   unread + sent - next,
	}
}

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
// but wait. Readers take of them what claim lets them take. With more, holdLocked
// returns nothing in the place of a gap or the end. What can be read is so at the
// instant at which it loads published; the context of s has not ended then.
func (s *Subscription[T]) holdLocked(n int, more bool) (at uint64, vs []T, err error) {
	if s.err != nil {
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
		limit := sent
		h := s.b.log.holes.Load()
		next := s.resume(sent)
		behind := next != at
		switch hole := h.all() != s.passed; {
		case hole && !behind && h.upTo(at) != s.passed:
			if more {
				return at, nil, nil
			}
			return at, nil, s.passLocked(h, at)
		case hole:
			limit = h.next(at, sent)
		}
		switch {
		case sent == at && word&closed != 0:
			return at, nil, ErrClosed
		case sent == at, behind && more:
			return at, nil, nil
		case next == sent && behind: // Disconnect
			s.endLocked(ErrSlow, sent)
			return at, nil, ErrSlow
		case behind:
			return at, nil, s.passLocked(h, next)
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

// passLocked goes on with the value with number next, behind a gap, and what is
// missing in the log itself up to there.
func (s *Subscription[T]) passLocked(h *holes, next uint64) error {
	before := h.upTo(next)
	gap := before.minus(s.passed).gap(next - s.held)
	s.passed = before
	s.missed += gap.Missed
	if next != s.held {
		s.held, s.chunk = next, nil
		s.pos.Store(next * publishOne) // under the lock, and nothing was held: no other reader moves it
	}
	return gap
}

// claim takes n of the values that are held, from number at on. It reports false if
// another reader has taken the first, or s has ended.
func (s *Subscription[T]) claim(at uint64, n int) bool {
	return s.pos.CompareAndSwap(at*publishOne, (at+uint64(n))*publishOne)
}

// takeLocked puts what is there into dst and returns how much, or an error. It
// returns 0 and nil if there is nothing to do but wait.
func (s *Subscription[T]) takeLocked(dst []T) (n int, err error) {
	for n < len(dst) {
		at, vs, err := s.holdLocked(len(dst)-n, n > 0)
		if len(vs) == 0 {
			if n > 0 {
				break
			}
			return 0, err
		}
		if k := copy(dst[n:], vs); s.claim(at, k) { // or a walk has gone on
			n += k
		}
		if s.held != s.chunk.end() && n > 0 {
			break // that was all there was when it looked
		}
	}
	return n, nil
}

// errExpired is what holdLocked returns when the context of the subscription has
// ended. The caller calls expire, without the lock.
var errExpired = errors.New("broadcast: context of a subscription has ended")

// read is takeLocked that waits.
func (s *Subscription[T]) read(ctx context.Context, dst []T) (n int, err error) {
	b, err := s.await(ctx, func() (bool, error) {
		var err error
		n, err = s.takeLocked(dst)
		return n > 0, err
	})
	if n > 0 {
		s.moved(b)
	}
	return n, err
}

// moved is called when a reader has moved pos.
func (s *Subscription[T]) moved(b *Broadcast[T]) {
	if s.policy == Block && s.lags.Load() {
		b.passed(s)
	}
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
	return func(yield func(T, error) bool) {
		done := ctx.Done()
		var at uint64
		var vs []T
		hold := func() (bool, error) {
			var err error
			at, vs, err = s.holdLocked(largest, false)
			return len(vs) > 0, err
		}
		for {
			b, err := s.await(ctx, hold)
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
					break // await tells why, or another reader has gone on
				}
				s.moved(b)
				if !yield(v, nil) {
					return
				}
			}
			vs = nil
		}
	}
}

// await calls try, under the lock, until it reports true or returns an error, and
// waits in between. It returns the broadcast of s.
func (s *Subscription[T]) await(ctx context.Context, try func() (bool, error)) (*Broadcast[T], error) {
	if sched.Err(ctx) != nil {
		return nil, context.Cause(ctx)
	}
	s.mu.Lock()
	b := s.b // nil if s has ended
	ok, err := try()
	if !ok && err == nil && s.patience.yields() {
		s.mu.Unlock()
		runtime.Gosched()
		s.mu.Lock()
		ok, err = try()
		s.patience.yielded(ok)
	}
	if !ok && err == nil {
		err = s.waitLocked(ctx, b, try)
	}
	s.mu.Unlock()
	switch err {
	case ErrSlow:
		s.settle()
	case errExpired:
		s.expire()
		s.mu.Lock()
		err = s.err
		s.mu.Unlock()
	}
	return b, err
}

// waitLocked waits until try reports true or returns an error. It leaves the lock while
// it waits.
func (s *Subscription[T]) waitLocked(ctx context.Context, b *Broadcast[T], try func() (bool, error)) (err error) {
	w := s.spare
	s.spare = nil
	if w == nil {
		w = newWaiter()
	}
	for ok := false; !ok && err == nil; {
		w.peer, s.parked = s.parked, w // close finds it there
		at, passed := s.held, s.passed
		s.mu.Unlock()
		if b.sleep(w, at, passed) {
			w.park(ctx)
		}
		s.mu.Lock()
		s.unlinkLocked(w)
		if sched.Err(ctx) != nil {
			err = context.Cause(ctx)
		} else {
			ok, err = try()
		}
	}
	s.spare = w
	if err != nil { // it may be on the list still, where it would stay while nothing is sent
		s.mu.Unlock()
		b.unsleep(w)
		s.mu.Lock()
	}
	return err
}

// unlinkLocked takes w out of the readers that are parked.
func (s *Subscription[T]) unlinkLocked(w *waiter) {
	p := &s.parked
	for *p != w {
		p = &(*p).peer
	}
	*p, w.peer = w.peer, nil
}

// A patience decides whether a reader that finds nothing lets others run before
// it goes to sleep. Where many keep up there are values by then, and no reader
// has to be woken: with 1,000 readers that halves the cost of a value. Where values
// are rare, it is in vain, and it is done less and less often.
type patience struct{ skip, next uint8 }

const leastOften = 31

func (p *patience) yields() bool {
	if p.skip > 0 {
		p.skip--
		return false
	}
	return true
}

func (p *patience) yielded(worthIt bool) {
	if worthIt {
		p.next = 0
		return
	}
	p.next = min(2*p.next+1, leastOften)
	p.skip = p.next
}
