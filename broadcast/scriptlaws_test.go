package broadcast_test

import (
	"errors"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tandemgo/tandem/broadcast"
)

// same reports whether an error is the one to be expected. Gaps have a size.
func same(got, want error) bool {
	if gap, ok := errors.AsType[*broadcast.GapError](want); ok {
		g, ok := errors.AsType[*broadcast.GapError](got)
		return ok && g.Missed == gap.Missed
	}
	return errors.Is(got, want)
}

// expect returns what r is to read, up to n values, and moves it there.
func (s *logScript) expect(r *logReader, n int) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if r.cursor == s.sent {
		return 0, broadcast.ErrClosed
	}
	if gap := r.first(s) - r.cursor; gap > 0 {
		if r.policy == broadcast.Disconnect {
			s.endReader(r, broadcast.ErrSlow)
			return 0, broadcast.ErrSlow
		}
		r.missed += gap
		r.cursor += gap
		return 0, &broadcast.GapError{Missed: uint64(gap)}
	}
	n = min(n, s.sent-r.cursor)
	r.cursor += n
	r.delivered += n
	return n, nil
}

// endReader ends r, if it has not ended.
func (s *logScript) endReader(r *logReader, why error) {
	if r.err == nil {
		next := r.first(s)
		r.missed += next - r.cursor
		r.cursor, r.end, r.err = next, s.sent, why
	}
}

// settle lets everybody do what they can, and compares who did.
func (s *logScript) settle() {
	synctest.Wait()
	for len(s.line) > 0 {
		w := s.line[0]
		if s.closed {
			s.senderOver(w, broadcast.ErrClosed)
			s.line = s.line[1:]
			continue
		}
		n := min(len(w.rest), s.room())
		s.note(w.rest[:n])
		if w.rest = w.rest[n:]; len(w.rest) > 0 {
			break
		}
		s.senderOver(w, nil)
		s.line = s.line[1:]
	}
	for _, w := range s.line {
		select {
		case end := <-w.done:
			s.t.Errorf("a sender has ended: %d sent, %v", end.v, end.err)
		default:
		}
	}
	for _, r := range s.subs {
		switch {
		case r.parked == nil:
		case r.err == nil && r.cursor == s.sent && !s.closed:
			s.idle(r)
		default:
			v := 0
			n, err := s.expect(r, 1)
			if n > 0 {
				v = s.log[r.cursor-1]
			}
			s.over(r, v, err)
		}
	}
	synctest.Wait()
}

func (s *logScript) idle(r *logReader) {
	select {
	case end := <-r.parked.done:
		s.t.Errorf("subscription %s read %d, %v; there was nothing", r.name, end.v, end.err)
		r.parked = nil
	default:
	}
}

// over checks how a parked reader has ended: with a value or with an error.
func (s *logScript) over(r *logReader, v int, err error) {
	select {
	case end := <-r.parked.done:
		if !same(end.err, err) || err == nil && end.v != v {
			s.t.Errorf("subscription %s read %d, %v; want %d, %v", r.name, end.v, end.err, v, err)
		}
	default:
		s.t.Errorf("subscription %s waits, want %d, %v", r.name, v, err)
	}
	r.parked.cancel(nil)
	r.parked = nil
}

func (s *logScript) senderOver(w *logSender, err error) {
	select {
	case end := <-w.done:
		if sent := len(w.vs) - len(w.rest); end.v != sent || !errors.Is(end.err, err) {
			s.t.Errorf("%d of %v sent, %v; want %d, %v", end.v, w.vs, end.err, sent, err)
		}
	default:
		s.t.Errorf("a sender of %v waits, want %v", w.rest, err)
	}
	w.cancel(nil)
}

// check compares the books.
func (s *logScript) check() {
	want := broadcast.Stats{Sent: uint64(s.sent), Retained: min(s.sent, s.capacity)}
	for _, r := range s.subs {
		end, first := r.end, r.cursor
		if r.err == nil {
			end, first = s.sent, r.first(s)
		}
		books := broadcast.SubscriptionStats{
			Name: r.name, Delivered: uint64(r.delivered), Missed: uint64(r.missed + first - r.cursor), Backlog: uint64(end - first),
		}
		if r.err == nil {
			want.Subscriptions = append(want.Subscriptions, books)
		}
		if r.s.Missed() != books.Missed || r.s.Backlog() != books.Backlog || r.s.Seq() != uint64(r.cursor) {
			s.t.Errorf("subscription %s at %d: missed %d, backlog %d; want %d, %+v",
				r.name, r.s.Seq(), r.s.Missed(), r.s.Backlog(), r.cursor, books)
		}
	}
	if diff := cmp.Diff(want, s.b.Stats(), cmpopts.EquateEmpty()); diff != "" {
		s.t.Errorf("stats (-want +got):\n%s", diff)
	}
}

// finish closes the broadcast and reads what is left.
func (s *logScript) finish() {
	s.closed = true
	_ = s.b.Close()
	s.settle()
	for _, r := range s.subs {
		for i := 0; ; i++ {
			s.read(r, 3)
			if s.t.Failed() || r.err != nil || r.cursor == s.sent {
				break
			}
		}
		s.check()
	}
	for _, r := range s.subs {
		_ = r.s.Close()
		if r.cancel != nil {
			r.cancel(nil)
		}
		if r.parked != nil {
			r.parked.cancel(nil)
		}
	}
}
