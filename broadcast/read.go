package broadcast

import (
	"context"
	"errors"
	"runtime"

	"github.com/tandemgo/tandem/internal/sched"
)

// behindLocked returns how many values s has missed and how many it can read,
// when sent have been sent. It is called while s is open.
func (s *Subscription[T]) behindLocked(sent uint64) (missed, backlog uint64) {
	next := s.resume(sent)
	ahead := s.b.log.holes.Load().upTo(sent).minus(s.passed)
	return s.missed + next - s.cursor + ahead.lost, sent - next
}

// resume returns the number of the value with which s goes on.
func (s *Subscription[T]) resume(sent uint64) uint64 {
	if sent-s.cursor <= s.capacity {
		return s.cursor
	}
	switch s.policy {
	case SkipToLatest:
		return sent - 1
	case Disconnect:
		return sent
	}
	return sent - s.capacity
}

// takeLocked puts what is there into dst and returns how much, or an error. It
// returns 0 and nil if there is nothing to do but wait. What it takes, it takes
// at the instant at which it loads published; the context of s has not ended then.
func (s *Subscription[T]) takeLocked(dst []T) (n int, err error) {
	if s.err != nil {
		return 0, s.err
	}
	for {
		word := s.b.log.published.Load()
		sent := word / publishOne
		if sched.Ended(s.done) { // after the look, or it could have seen what was sent since
			return 0, errExpired
		}
		limit := sent
		if h := s.b.log.holes.Load(); h.all() != s.passed {
			if sent-s.cursor <= s.capacity && h.upTo(s.cursor) != s.passed {
				return 0, s.passLocked(h, s.cursor)
			}
			limit = h.next(s.cursor, sent)
		}
		if sent == s.cursor {
			if word&closed != 0 {
				return 0, ErrClosed
			}
			return 0, nil
		}
		if sent-s.cursor > s.capacity {
			return 0, s.skipLocked(sent)
		}
		if n = s.copyLocked(dst, limit); n > 0 {
			s.delivered += uint64(n)
			if s.block != nil {
				s.block.pos.Store(s.cursor)
			}
			return n, nil
		}
		// Cut off between the two looks: now there is a gap.
	}
}

// skipLocked goes on behind a gap.
func (s *Subscription[T]) skipLocked(sent uint64) error {
	if s.policy == Disconnect {
		s.endLocked(ErrSlow, sent)
		return ErrSlow
	}
	return s.passLocked(s.b.log.holes.Load(), s.resume(sent))
}

// passLocked goes on with the value with number next, behind a gap, and what is
// missing in the log itself up to there.
func (s *Subscription[T]) passLocked(h *holes, next uint64) error {
	before := h.upTo(next)
	gap := before.minus(s.passed).gap(next - s.cursor)
	s.passed = before
	s.missed += gap.Missed
	if next != s.cursor {
		s.cursor, s.chunk = next, nil
	}
	return gap
}

// copyLocked copies values before sent to dst, as many as fit. It copies less if
// the log has moved on past them meanwhile.
func (s *Subscription[T]) copyLocked(dst []T, sent uint64) (n int) {
	for n < len(dst) && s.cursor < sent {
		c := s.chunk
		switch {
		case c == nil:
			c = s.b.log.find(s.cursor)
		case s.cursor == c.end():
			c = c.after()
		}
		if s.chunk = c; c == nil {
			return n
		}
		k := copy(dst[n:], c.items[s.cursor-c.base:min(sent, c.end())-c.base])
		n += k
		s.cursor += uint64(k)
	}
	return n
}

// errExpired is what takeLocked returns when the context of the subscription has
// ended. The caller calls expire, without the lock.
var errExpired = errors.New("broadcast: context of a subscription has ended")

// read is takeLocked that waits.
func (s *Subscription[T]) read(ctx context.Context, dst []T) (int, error) {
	if sched.Err(ctx) != nil {
		return 0, context.Cause(ctx)
	}
	s.mu.Lock()
	b := s.b // nil if s has ended
	n, err := s.takeLocked(dst)
	if n == 0 && err == nil && s.patience.yields() {
		s.mu.Unlock()
		runtime.Gosched()
		s.mu.Lock()
		n, err = s.takeLocked(dst)
		s.patience.yielded(n > 0)
	}
	if n == 0 && err == nil {
		n, err = s.waitLocked(ctx, b, dst)
	}
	s.mu.Unlock()
	if n > 0 && s.block != nil {
	}
	switch {
	case n > 0 && s.block != nil && s.block.lags.Load():
		b.passed(s.block)
	case err == ErrSlow:
		s.settle()
	case err == errExpired:
		s.expire()
		s.mu.Lock()
		err = s.err
		s.mu.Unlock()
	}
	return n, err
}

// waitLocked waits until there is something to take, and takes it. It leaves the
// lock while it waits.
func (s *Subscription[T]) waitLocked(ctx context.Context, b *Broadcast[T], dst []T) (n int, err error) {
	w := s.spare
	s.spare = nil
	if w == nil {
		w = newWaiter()
	}
	for n == 0 && err == nil {
		w.peer, s.parked = s.parked, w // close finds it there
		at, passed := s.cursor, s.passed
		s.mu.Unlock()
		if b.sleep(w, at, passed) {
			w.park(ctx)
		}
		s.mu.Lock()
		s.unlinkLocked(w)
		if sched.Err(ctx) != nil {
			err = context.Cause(ctx)
		} else {
			n, err = s.takeLocked(dst)
		}
	}
	s.spare = w
	if err != nil { // it may be on the list still, where it would stay while nothing is sent
		s.mu.Unlock()
		b.unsleep(w)
		s.mu.Lock()
	}
	return n, err
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
// it goes to sleep. Where many keep up there are values by then, and nobody has
// to be woken: with 1,000 readers that halves the cost of a value. Where values
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
