package natscast

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A stream is a link on JetStream: the receiving half. The sending half is store.
//
// It reads by a consumer, which delivers in order from a sequence number on. When a
// delivery is missing, when nothing is heard, not even a heartbeat, or after the
// connection was lost, the consumer is given up, and another one begins behind the
// last message that was read. All numbers are those of the stream, so nothing comes
// twice, and what the stream no longer has is a hole in them.
type stream struct {
	*store
	sink      sink
	size      int // of the queue
	heartbeat time.Duration
	replay    int
	status    chan nats.Status

	created time.Time // of the stream
	next    uint64    // sequence number of the value that comes next
	past    uint64    // last one of those to be replayed
	there   chan struct{}
	arrived bool // there is closed

	from *consumer // nil while there is none
}

const firstPause, lastPause = 100 * time.Millisecond, 5 * time.Second

func newStream(ctx context.Context, js jetstream.JetStream, name, subject string, o options, to sink, count *counters) *stream {
	return &stream{
		store: newStore(ctx, js, name, subject, o, count),
		sink:  to, size: o.queue, heartbeat: o.heartbeat, replay: o.replay,
		there: make(chan struct{}),
	}
}

// open finds out where to begin.
func (s *stream) open(ctx context.Context) error {
	info, err := s.look(ctx)
	if err != nil {
		return err
	}
	s.created = info.Created
	s.past = info.State.LastSeq
	s.next = max(1, info.State.FirstSeq, s.past+1-min(s.past, uint64(s.replay)))
	if err := s.attach(ctx); err != nil {
		return err
	}
	s.status = s.nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	return nil
}

// awaitPast waits for the values to be replayed.
func (s *stream) awaitPast(ctx context.Context) error {
	select {
	case <-s.there:
		return nil
	case <-s.ctx.Done():
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("natscast: NewStream: reading the last %d values: %w", s.replay, context.Cause(ctx))
	}
}

// look asks for the state of the stream, and says if it can't be used.
func (s *stream) look(ctx context.Context) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	st, err := s.js.Stream(ctx, s.name)
	if err != nil {
		return nil, fmt.Errorf("natscast: NewStream: stream %q: %w", s.name, err)
	}
	info := st.CachedInfo()
	c := info.Config
	if !slices.Equal(c.Subjects, []string{s.subject}) || len(c.Sources) > 0 || c.Mirror != nil {
		return nil, fmt.Errorf("%w: NewStream: stream %q must hold subject %q and no other, it holds %q", ErrUnsuitable, s.name, s.subject, c.Subjects)
	}
	s.window.Store(int64(c.Duplicates))
	return info, nil
}

// attach makes a consumer that goes on with next.
func (s *stream) attach(ctx context.Context) error {
	ctx, over := s.within(ctx)
	defer over()
	info, err := s.look(ctx)
	if err != nil {
		return err
	}
	switch {
	case !info.Created.Equal(s.created):
		// Another stream with this name. What the old one had at its end, and what this
		// one has discarded, nobody knows.
		s.created, s.next = info.Created, max(1, info.State.FirstSeq)
		s.sink.gap(0)
	case info.State.LastSeq+1 < s.next:
		// It has lost its end, and uses the numbers once more.
		s.next = info.State.LastSeq + 1
		s.sink.gap(0)
	}
	if first := info.State.FirstSeq; first > s.next {
		missed := first - s.next
		s.next = first
		s.sink.gap(missed)
	}
	if s.from, err = consume(ctx, s.js, s.name, s.next, s.size, s.heartbeat); err != nil {
		return fmt.Errorf("natscast: NewStream: reading stream %q: %w", s.name, err)
	}
	if s.from.pending == 0 {
		s.arrive()
	}
	return nil
}

// detach gives the consumer up.
func (s *stream) detach() {
	if s.from != nil {
		s.from.end()
		s.from = nil
	}
}

// receive is the goroutine that receives.
func (s *stream) receive() {
	wait := firstPause
	for s.ctx.Err() == nil && !s.nc.IsClosed() {
		if s.from != nil {
			s.read()
			s.sink.flush()
			s.count.resumed.Add(1)
			if s.from.number > 0 {
				wait = 0 // it was of use
			}
			s.detach()
		} else if err := s.attach(s.ctx); err == nil {
			continue
		} else if s.nc.IsConnected() && s.ctx.Err() == nil {
			s.sink.report(err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			wait = min(max(firstPause, 2*wait), lastPause)
		case <-s.status:
			wait = firstPause
		case <-s.ctx.Done():
		}
		timer.Stop()
	}
	s.detach()
}

// read reads until the consumer is to be given up, or s ends.
func (s *stream) read() {
	silence := time.NewTimer(3 * s.heartbeat)
	defer silence.Stop()
	for {
		select {
		case m := <-s.from.queue:
			if !s.takeAll(m) {
				return
			}
			silence.Reset(3 * s.heartbeat)
		case <-s.status:
			if s.nc.IsClosed() || s.nc.Stats().Reconnects != s.from.resumed {
				return
			}
		case <-silence.C:
			if len(s.from.queue) == 0 { // the time may have passed while subscribers had to be waited for
				return
			}
		case <-s.ctx.Done():
			return
		}
	}
}

// takeAll takes m and what else is there, up to what is handed on at once. It
// reports false if the consumer is to be given up.
func (s *stream) takeAll(m *nats.Msg) bool {
	for n := 1; m != nil; n++ {
		if !s.take(m) {
			return false
		}
		m = another(s.from.queue, n)
	}
	s.sink.flush()
	if s.next > s.past {
		s.arrive()
	}
	return s.from.ask() == nil
}

func (s *stream) take(m *nats.Msg) bool {
	seq, err := s.from.delivered(m)
	if err != nil || seq == 0 {
		return err == nil
	}
	if seq < s.next {
		s.count.duplicates.Add(1)
		return true
	}
	missed := seq - s.next
	s.next = seq + 1 // before the codec is called, which may end this goroutine
	if missed > 0 {
		s.sink.gap(missed)
	}
	s.sink.value(m)
	return true
}

// arrive notes that what was to be replayed has been.
func (s *stream) arrive() {
	if !s.arrived {
		s.arrived = true
		close(s.there)
	}
}

func (s *stream) beside() func() { return s.watch }

func (s *stream) close() {
	s.nc.RemoveStatusListener(s.status)
	s.sessions.close()
}
