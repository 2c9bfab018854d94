package spsc_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/internal/spsc"
	"github.com/tandemgo/tandem/internal/testkit"
)

// FuzzRing plays a script of operations at both ends of a ring and on a few
// counters. The items are numbers in order, so that counts say everything.
func FuzzRing(f *testing.F) {
	f.Add([]byte{2, 0, 0, 0, 0, 1, 0, 2, 1, 1, 1, 1, 3, 0, 6, 1})
	f.Add([]byte{0, 2, 2, 1, 2, 4, 0, 1, 1, 3, 4, 3, 0, 8, 6, 7, 0})
	f.Add([]byte{33, 2, 2, 2, 1, 1, 2, 2, 1, 1, 5, 200, 1, 2, 2, 6})
	f.Fuzz(func(t *testing.T, b []byte) {
		synctest.Test(t, func(t *testing.T) {
			s := newRingScript(t, testkit.NewScript(b))
			for s.in.More() && !t.Failed() {
				s.step()
				synctest.Wait()
				s.check()
			}
			s.finish()
		})
	})
}

type ringScript struct {
	t        *testing.T
	in       *testkit.Script
	ring     *spsc.Ring[int]
	limit    int  // how many items may be on it, at least
	adaptive bool // maybe more

	sent, taken, given int
	closed             bool
	sender, receiver   *ringEnd // those that are parked
}

type ringEnd struct {
	cancel context.CancelCauseFunc
	done   chan ringResult
}

type ringResult struct {
	v   int
	ok  bool
	err error
}

var errGaveUp = errors.New("gave up")

func newRingScript(t *testing.T, in *testkit.Script) *ringScript {
	s := &ringScript{t: t, in: in}
	// Up to 30 items are given back one by one.
	if capacity := in.IntN(40); capacity <= 30 {
		s.ring, s.limit = spsc.New[int](capacity), capacity+1
	} else {
		s.ring, s.limit, s.adaptive = spsc.Adaptive[int](capacity-30), capacity-30, true
	}
	return s
}

func (s *ringScript) step() {
	switch s.in.IntN(11) {
	case 0:
		if s.sender == nil && !s.closed {
			ok := s.ring.TryPush(s.sent)
			if s.expect("TryPush", ok, s.sent-s.given < s.limit); ok {
				s.sent++
			}
		}
	case 1:
		if s.receiver == nil {
			s.giveBack()
			v, ok := s.ring.TryPop()
			s.got(v, ok, s.taken < s.sent)
		}
	case 2:
		if s.sender == nil && !s.closed {
			v := s.sent
			s.sender = s.start(func(ctx context.Context) ringResult { return ringResult{v, true, s.ring.Push(ctx, v)} })
		}
	case 3:
		if s.receiver == nil {
			s.given = s.taken
			s.receiver = s.start(func(ctx context.Context) ringResult {
				v, ok, err := s.ring.Pop(ctx)
				return ringResult{v, ok, err}
			})
		}
	case 4:
		for _, end := range []*ringEnd{s.sender, s.receiver} {
			if end != nil {
				end.cancel(errGaveUp)
			}
		}
		s.ring.Wake()
	case 5:
		time.Sleep(time.Duration(s.in.IntN(256)) * time.Microsecond)
	case 6:
		if s.sender == nil {
			s.ring.Close()
			s.closed = true
		}
	case 7:
		if s.closed && s.taken == s.sent && s.receiver == nil {
			s.ring.Reopen()
			s.closed = false
		}
	case 8:
		s.ring.Wake()
	case 9:
		if s.receiver == nil {
			if s.giveBack(); s.in.Bool() {
				s.expect("More", s.ring.More(), s.taken < s.sent)
			}
		}
	case 10:
		if n := s.in.IntN(40); s.sender == nil && !s.adaptive {
			s.expect("Fits", s.ring.Fits(n), s.sent-s.given+n <= s.limit)
		}
	}
}

// giveBack makes room, and lets a sender who is asleep use it.
func (s *ringScript) giveBack() {
	s.given = s.taken
	s.ring.More()
	synctest.Wait()
	s.check()
}

func (s *ringScript) start(call func(context.Context) ringResult) *ringEnd {
	ctx, cancel := context.WithCancelCause(s.t.Context())
	end := &ringEnd{cancel, make(chan ringResult, 1)}
	go func() { end.done <- call(ctx) }()
	return end
}

// expect compares what a call says with what it should, but for an adaptive ring
// that has more room than it must.
func (s *ringScript) expect(call string, got, want bool) {
	if got != want && !(s.adaptive && call == "TryPush" && got) {
		s.t.Errorf("%s: %v; sent %d, taken %d, given back %d", call, got, s.sent, s.taken, s.given)
	}
}

// got notes an item that was taken.
func (s *ringScript) got(v int, ok, want bool) {
	if ok != want || ok && v != s.taken {
		s.t.Errorf("took %d, %v; want %d, %v", v, ok, s.taken, want)
	}
	if ok {
		s.taken++
	}
}

// check looks at those who are parked, and at the counts.
func (s *ringScript) check() {
	if s.sender != nil {
		select {
		case end := <-s.sender.done:
			if s.sender = nil; end.err == nil {
				s.sent++
			} else if end.err != errGaveUp {
				s.t.Errorf("Push: %v", end.err)
			}
		default:
			// It is woken when half of the ring is free, and not before.
			if s.sent == s.given || !s.adaptive && s.given >= s.sent-s.limit+max(s.limit/2, 1) {
				s.t.Errorf("the sender is asleep: sent %d, given back %d of %d", s.sent, s.given, s.limit)
			}
		}
	}
	if s.receiver != nil {
		select {
		case end := <-s.receiver.done:
			switch s.receiver = nil; {
			case end.err == nil:
				s.got(end.v, end.ok, s.taken < s.sent)
			case end.err != errGaveUp:
				s.t.Errorf("Pop: %v", end.err)
			}
		default:
			if s.taken < s.sent || s.closed {
				s.t.Errorf("the receiver is asleep: sent %d, taken %d, closed: %v", s.sent, s.taken, s.closed)
			}
		}
	}
	if s.ring.Sent() != uint64(s.sent) || !s.adaptive && s.ring.Freed() != uint64(s.given) || s.ring.Freed() > uint64(s.taken) {
		s.t.Errorf("it says %d sent, %d freed; %d sent, %d taken, %d given back", s.ring.Sent(), s.ring.Freed(), s.sent, s.taken, s.given)
	}
	if s.receiver == nil {
		s.expect("Ended", s.ring.Ended(), s.closed && s.taken == s.sent)
	}
}

// finish closes the ring and takes what is left.
func (s *ringScript) finish() {
	for _, end := range []*ringEnd{s.sender, s.receiver} {
		if end != nil {
			end.cancel(errGaveUp)
		}
	}
	s.ring.Wake()
	synctest.Wait()
	s.check()
	s.ring.Close()
	s.closed = true
	for ok := true; ok && !s.t.Failed(); {
		var v int
		var err error
		if v, ok, err = s.ring.Pop(s.t.Context()); err != nil {
			s.t.Error(err)
		}
		s.got(v, ok, s.taken < s.sent)
	}
}
