package broadcast_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/testkit"
)

// A logScript plays operations on a broadcast, and keeps the books that it should
// keep.
type logScript struct {
	t        *testing.T
	in       *testkit.Script
	b        *broadcast.Broadcast[int]
	capacity int
	log      []int // the values sent, by sequence number
	sent     int   // how many
	lastV    int
	closed   bool
	subs     []*logReader
	line     []*logSender // those that wait for room
}

// A logReader is a subscription, and where it should be.
type logReader struct {
	s         *broadcast.Subscription[int]
	policy    broadcast.Policy
	name      string
	cursor    int
	delivered int
	missed    int
	err       error // why it has ended
	end       int   // how many had been sent then
	cancel    context.CancelCauseFunc
	parked    *logRead
}

type logRead struct {
	cancel context.CancelCauseFunc
	done   chan logResult
}

type logResult struct {
	v   int
	err error
}

type logSender struct {
	vs, rest []int // all values, and those that are not sent yet
	cancel   context.CancelCauseFunc
	done     chan logResult // v is how many
}

var errLeft = errors.New("left")

func newLogScript(t *testing.T, in *testkit.Script) *logScript {
	capacity := 1 + in.IntN(40)
	return &logScript{t: t, in: in, capacity: capacity, b: broadcast.New[int](broadcast.WithCapacity(capacity))}
}

func (s *logScript) step() {
	switch s.in.IntN(11) {
	case 0:
		s.subscribe(broadcast.Policy(s.in.IntN(4)), s.in.IntN(3))
	case 1:
		s.sendBatch(1 + s.in.IntN(s.capacity))
	case 2, 3:
		want := error(nil)
		switch {
		case s.closed:
			want = broadcast.ErrClosed
		case s.room() == 0 || len(s.line) > 0:
			want = broadcast.ErrFull
		}
		v := s.values(1)
		if err := s.b.TrySend(v[0]); err != want {
			s.t.Errorf("TrySend: %v, want %v", err, want)
		} else if err == nil {
			s.note(v)
		}
	case 4, 5:
		if r := s.any(); r != nil && r.parked == nil {
			s.read(r, 1+s.in.IntN(4))
		}
	case 6:
		if r := s.any(); r != nil {
			_ = r.s.Close()
			s.endReader(r, broadcast.ErrClosed)
		}
	case 7:
		if r := s.any(); r != nil && r.cancel != nil {
			r.cancel(errLeft)
			s.endReader(r, errLeft)
		}
	case 8: // a reader, or a sender, gives up
		if r := s.any(); r != nil && r.parked != nil {
			r.parked.cancel(errLeft)
			synctest.Wait()
			s.over(r, 0, errLeft)
		}
	case 9:
		if len(s.line) > 0 {
			i := s.in.IntN(len(s.line))
			w := s.line[i]
			w.cancel(errLeft)
			synctest.Wait()
			s.senderOver(w, errLeft)
			s.line = append(s.line[:i:i], s.line[i+1:]...)
		}
	case 10:
		if s.in.IntN(4) == 0 {
			_ = s.b.Close()
			s.closed = true
		}
	}
}

// values returns n new values.
func (s *logScript) values(n int) []int {
	vs := make([]int, n)
	for i := range vs {
		s.lastV++
		vs[i] = s.lastV
	}
	return vs
}

// note notes that vs are sent.
func (s *logScript) note(vs []int) {
	s.log = append(s.log, vs...)
	s.sent = len(s.log)
}

// queued returns how many values wait to be sent.
func (s *logScript) queued() (n int) {
	for _, w := range s.line {
		n += len(w.rest)
	}
	return n
}

// room returns how many values can be sent at once.
func (s *logScript) room() int {
	room := s.capacity
	for _, r := range s.subs {
		if r.policy == broadcast.Block && r.err == nil {
			room = min(room, max(r.cursor, r.first(s))+s.capacity-s.sent)
		}
	}
	return room
}

// first returns the number of the first value that r can read.
func (r *logReader) first(s *logScript) int {
	if s.sent-r.cursor <= s.capacity {
		return r.cursor
	}
	switch r.policy {
	case broadcast.SkipToLatest:
		return s.sent - 1
	case broadcast.Disconnect:
		return s.sent
	}
	return s.sent - s.capacity
}

func (s *logScript) subscribe(policy broadcast.Policy, from int) {
	if len(s.subs) == 6 {
		return
	}
	r := &logReader{policy: policy, name: strconv.Itoa(len(s.subs)), cursor: s.sent}
	opts := []broadcast.SubscribeOption{broadcast.OnOverflow(policy), broadcast.Name(r.name)}
	switch from {
	case 1:
		n := s.in.IntN(50)
		r.cursor = max(0, s.sent-min(n, s.capacity))
		opts = append(opts, broadcast.Replay(n))
	case 2:
		seq := s.in.IntN(256)
		r.cursor = min(seq, s.sent)
		opts = append(opts, broadcast.From(uint64(seq)))
	}
	if s.in.Bool() {
		var ctx context.Context
		ctx, r.cancel = context.WithCancelCause(s.t.Context())
		opts = append(opts, broadcast.WithContext(ctx))
	}
	var err error
	if r.s, err = s.b.Subscribe(opts...); (err == nil) == s.closed {
		s.t.Errorf("Subscribe: %v, closed: %v", err, s.closed)
	}
	if err == nil {
		s.subs = append(s.subs, r)
	} else if r.cancel != nil {
		r.cancel(nil)
	}
}

// sendBatch sends n values. Not more than the capacity may wait to be sent: what
// a reader that is woken meanwhile gets would be left to chance.
func (s *logScript) sendBatch(n int) {
	if n = min(n, s.capacity-s.queued()); n <= 0 {
		return
	}
	vs := s.values(n)
	w := &logSender{vs: vs, rest: vs, done: make(chan logResult, 1)}
	ctx, cancel := context.WithCancelCause(s.t.Context())
	w.cancel = cancel
	go func() {
		if n == 1 {
			err := s.b.Send(ctx, vs[0])
			sent := 1
			if err != nil {
				sent = 0
			}
			w.done <- logResult{sent, err}
			return
		}
		sent, err := s.b.SendBatch(ctx, vs)
		w.done <- logResult{sent, err}
	}()
	s.line = append(s.line, w)
}

func (s *logScript) any() *logReader {
	if len(s.subs) == 0 {
		return nil
	}
	return s.subs[s.in.IntN(len(s.subs))]
}

// read reads up to n values, one if it has to wait for it.
func (s *logScript) read(r *logReader, n int) {
	if r.err == nil && r.cursor == s.sent && !s.closed {
		ctx, cancel := context.WithCancelCause(s.t.Context())
		done := make(chan logResult, 1)
		r.parked = &logRead{cancel, done}
		go func() {
			v, err := r.s.Next(ctx)
			done <- logResult{v, err}
		}()
		return
	}
	dst := make([]int, n)
	got, err := r.s.NextBatch(s.t.Context(), dst)
	want, wantErr := s.expect(r, n)
	if got != want || !same(err, wantErr) {
		s.t.Errorf("subscription %s at %d of %d read %d, %v; want %d, %v", r.name, r.cursor, s.sent, got, err, want, wantErr)
	}
	if log := s.log[r.cursor-want : r.cursor]; !slices.Equal(dst[:got], log) {
		s.t.Errorf("subscription %s read %v, want %v", r.name, dst[:got], log)
	}
}
