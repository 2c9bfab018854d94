package fan

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/point"
)

// A sweep calls a function for the indexes 0 … size-1 on up to n goroutines, of
// which the caller is one.
//
// Each claims a run of indexes at a time, by one atomic operation: the first of
// one index, the next twice as long each, but never more than a part of what is
// left, so that runs get short towards the end: guided self-scheduling, after
// C. D. Polychronopoulos and D. J. Kuck, IEEE Transactions on Computers C-36
// (1987). When nothing is left to claim, whoever has nothing to do says so in
// signal, and those who have more than the element in work give away half of
// their run. Equal parts for all, fixed in advance, leave all but one idle when
// the costs are uneven; guided runs alone do when the dear elements are
// neighbours.
//
// Others than the caller join when the sweep has lasted for patience: what is
// done by then costs no goroutine, and to start one costs as much as hundreds of
// cheap elements. A timer sees to it, so an element that blocks does not keep the
// others waiting for longer. Under a simulated clock they join at once.
//
// signal is read for each element and seldom written. Whoever is idle parks on
// cond, and is woken by a part given away, by the last one who has nothing more
// to do, and by the end.
type sweep struct {
	caller context.Context
	ctx    sweepContext
	part   part
	size   int64
	n      int
	signal atomic.Uint32
	timer  *time.Timer // until helpers join

	_    [64]byte       // what is above is read for each element
	next atomic.Int64   // the first index that nobody has claimed
	wg   sync.WaitGroup // helpers, and whatever may start or end them

	mu      sync.Mutex
	cond    sync.Cond
	workers atomic.Int64 // who have begun; changed under mu
	idle    int          // of these
	spare   []span       // given away
	unwatch func() bool
	over    bool
	first   error
}

// A part is the work on lo, lo+1 … hi-1. It returns the index it has come to:
// hi, or behind an element after which the sweep was interrupted.
type part func(lo, hi int) (next int, err error)

type span struct{ lo, hi int }

// Bits of signal.
const (
	stop   = 1 << iota // no element is to be begun
	hungry             // somebody has nothing to do
)

// patience is how long the caller works alone.
const patience = 20 * time.Microsecond

// each works on the parts of 0 … size-1. After an error nothing more is begun.
func each(ctx context.Context, n, size int, work func(*sweep) part) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if size == 0 {
		return nil
	}
	s := &sweep{caller: ctx, size: int64(size), n: n}
	s.workers.Store(1)
	s.ctx.Context = ctx
	s.cond.L = (*relocked)(&s.mu)
	s.part = work(s)
	if size > 1 {
		s.expect()
	}
	defer s.end() // also when a Goexit of the function ends the caller
	s.work(nil)
	s.end()
	return s.first
}

// A relocked is the mutex as whoever has been woken locks it again.
type relocked sync.Mutex

func (m *relocked) Lock() {
	point.At("fan: has been woken")
	(*sync.Mutex)(m).Lock()
}

func (m *relocked) Unlock() { (*sync.Mutex)(m).Unlock() }

// interrupted reports whether a part is to return behind the element in work.
func (s *sweep) interrupted() bool { return s.signal.Load() != 0 }

// expect has helpers join when it is worth it.
func (s *sweep) expect() {
	// A clock without a monotonic reading is a simulated one.
	if now := time.Now(); s.n == 1 || now == now.Round(0) {
		s.join()
		return
	}
	s.wg.Add(1)
	s.timer = time.AfterFunc(patience, func() {
		defer s.wg.Done()
		point.At("fan: before helpers join")
		s.join()
	})
}

// join has the first helper started, and the end of the caller's context seen
// between elements. Until then, it is seen between parts.
func (s *sweep) join() {
	s.mu.Lock()
	if !s.over && s.caller.Done() != nil {
		s.wg.Add(1)
		s.unwatch = context.AfterFunc(s.caller, func() {
			defer s.wg.Done()
			point.At("fan: before it fails with the context")
			s.fail(context.Cause(s.caller))
		})
	}
	s.mu.Unlock()
	s.help()
}

// help starts one more helper. He starts the next one once he has got work.
func (s *sweep) help() {
	point.At("fan: before it starts a helper")
	s.mu.Lock()
	more := s.workers.Load() < int64(s.n) && s.signal.Load()&stop == 0 && !s.over
	if more {
		s.workers.Add(1)
		s.wg.Add(1)
	}
	s.mu.Unlock()
	if !more {
		return
	}
	outcome.Spawn(func() {
		point.At("fan: a helper begins")
		s.work(s.help)
	}, s.wg.Done)
}

// end waits for all others and ends the context of the sweep.
func (s *sweep) end() {
	if s.timer != nil && s.timer.Stop() {
		s.wg.Done()
	}
	s.timer = nil
	point.At("fan: before it ends")
	s.mu.Lock()
	s.over = true
	unwatch := s.unwatch
	s.unwatch = nil
	s.mu.Unlock()
	point.At("fan: before it waits for helpers")
	if unwatch != nil && unwatch() {
		s.wg.Done()
	}
	s.wg.Wait()
	s.ctx.release()
}

// work claims runs, and then takes what others give away, until there is
// nothing more to do. It calls begun when it has got the first.
func (s *sweep) work(begun func()) {
	for most := int64(1); ; most *= 2 {
		at, ok := s.claim(most)
		if !ok {
			if at, ok = s.take(); !ok {
				return
			}
		}
		if begun != nil {
			begun()
			begun = nil
		}
		for at.lo < at.hi && s.signal.Load()&stop == 0 {
			at.lo = s.enter(at)
			if at.hi-at.lo > 1 && s.signal.Load()&hungry != 0 {
				at.hi = s.give(at)
			}
		}
	}
}

// claim returns the next run of at most so many indexes.
func (s *sweep) claim(most int64) (span, bool) {
	if s.caller.Err() != nil {
		s.fail(context.Cause(s.caller))
	}
	for {
		at := s.next.Load()
		if at >= s.size || s.signal.Load()&stop != 0 {
			return span{}, false
		}
		point.At("fan: before it claims")
		n := max(1, min(most, (s.size-at)/(2*s.workers.Load())))
		if s.next.CompareAndSwap(at, at+n) {
			return span{int(at), int(at + n)}, true
		}
	}
}

// enter calls the part for at, and returns the index it has come to. User code
// is entered once for many elements: what it costs to guard against a panic is
// not paid for each.
func (s *sweep) enter(at span) (next int) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if r := recover(); r != nil {
			s.fail(outcome.Panicked(r))
		} else {
			s.fail(ErrGoexit)
		}
	}()
	next, err := s.part(at.lo, at.hi)
	returned = true
	if err != nil {
		s.fail(err)
	}
	return next
}

// give gives away the second half of at, if somebody has nothing to do, and
// returns where the first one ends.
func (s *sweep) give(at span) (hi int) {
	point.At("fan: before it gives")
	s.mu.Lock()
	defer s.mu.Unlock()
	hi = at.hi
	if len(s.spare) < s.idle {
		hi = at.lo + (at.hi-at.lo)/2
		s.spare = append(s.spare, span{hi, at.hi})
		s.cond.Signal()
	}
	if len(s.spare) >= s.idle {
		s.signal.And(^uint32(hungry))
	}
	return hi
}

// take waits for a run that somebody gives away; ok is false when nobody has
// one.
func (s *sweep) take() (at span, ok bool) {
	point.At("fan: before it takes")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle++
	for s.signal.Load()&stop == 0 {
		if n := len(s.spare); n > 0 {
			at, s.spare = s.spare[n-1], s.spare[:n-1]
			s.idle--
			return at, true
		}
		if int64(s.idle) == s.workers.Load() {
			break
		}
		s.signal.Or(hungry)
		s.cond.Wait()
	}
	s.cond.Broadcast() // it is over for all
	return at, false
}

// fail ends the sweep with err, if that is the first error.
func (s *sweep) fail(err error) {
	err = root(s.caller, err)
	s.mu.Lock()
	first := s.first == nil
	if first {
		s.first = err
	}
	s.mu.Unlock()
	point.At("fan: before it says that it has failed")
	s.signal.Or(stop)
	if first {
		point.At("fan: before it ends the context")
		s.ctx.cancel(err)
	}
	point.At("fan: before it wakes all")
	s.mu.Lock()
	s.cond.Broadcast()
	s.mu.Unlock()
}
