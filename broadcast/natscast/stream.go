package natscast

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A stream is the receiving half of a link on JetStream. The sending half is store.
//
// It reads through a consumer, which delivers in order from a sequence number on. If a
// delivery is missing, if nothing arrives, not even a heartbeat, or after the
// connection was lost, the consumer is replaced by one that begins after the last
// message read. All numbers are the sequence numbers of the stream, so no value is
// delivered twice, and values that the stream no longer has are a gap.
type stream struct {
	*store
	sink   sink
	status chan nats.Status

	created time.Time // of the stream; zero before the first look
	next    uint64    // sequence number of the next value
	past    uint64    // sequence number of the last value to replay
	there   chan struct{}
	arrive  func() // closes there: the replay is complete

	from *consumer // nil without a consumer
}

const firstPause, lastPause = 100 * time.Millisecond, 5 * time.Second

func newStream(ctx context.Context, js jetstream.JetStream, name, subject string, o options, to sink, count *counters) *stream {
	there := make(chan struct{})
	return &stream{
		store: newStore(ctx, js, name, subject, o, count), sink: to,
		there: there, arrive: sync.OnceFunc(func() { close(there) }),
	}
}

// open makes the first consumer.
func (s *stream) open(ctx context.Context) error {
	err := s.attach(ctx)
	if err == nil {
		s.status = s.nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	}
	return err
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

// look returns the state of the stream, or an error if the stream cannot be used.
func (s *stream) look(ctx context.Context) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	st, err := s.js.Stream(ctx, s.name)
	if err != nil {
		return nil, fmt.Errorf("natscast: NewStream: stream %q: %w", s.name, err)
	}
	info := st.CachedInfo()
	c, sorted := info.Config, func(subjects []string) []string { return slices.Sorted(slices.Values(subjects)) }
	if !slices.Equal(sorted(c.Subjects), sorted(s.subjects)) || len(c.Sources) > 0 || c.Mirror != nil {
		return nil, fmt.Errorf("%w: NewStream: stream %q must hold the subjects %q and no others, it holds %q", ErrUnsuitable, s.name, s.subjects, c.Subjects)
	}
	s.window.Store(int64(c.Duplicates))
	return info, nil
}

// attach makes a consumer that continues with next, which it determines the first time.
func (s *stream) attach(ctx context.Context) error {
	info, err := s.look(ctx)
	if err != nil {
		return err
	}
	switch {
	case s.created.IsZero():
		s.created, s.past = info.Created, info.State.LastSeq
		s.next = max(1, info.State.FirstSeq, s.past+1-min(s.past, uint64(s.replay)))
	case !info.Created.Equal(s.created):
		// Another stream has this name now. The number of values that the old stream
		// had left and that this one has discarded is unknown.
		s.created, s.next = info.Created, max(1, info.State.FirstSeq)
		s.sink.gap(0)
	case info.State.LastSeq+1 < s.next:
		// The stream has lost its end, and uses those numbers again.
		s.next = info.State.LastSeq + 1
		s.sink.gap(0)
	}
	if first := info.State.FirstSeq; first > s.next {
		missed := first - s.next
		s.next = first
		s.sink.gap(missed)
	}
	if s.from, err = consume(ctx, s.js, s.name, s.next, s.queueSize, s.heartbeat); err != nil {
		return fmt.Errorf("natscast: NewStream: reading stream %q: %w", s.name, err)
	}
	if s.from.pending == 0 {
		s.arrive()
	}
	return nil
}

// detach ends the consumer.
func (s *stream) detach() {
	if s.from != nil {
		s.from.end()
		s.from = nil
	}
}

// receive is the function of the receiver.
func (s *stream) receive() {
	wait := firstPause
	for s.ctx.Err() == nil && !s.nc.IsClosed() {
		if s.from != nil {
			s.read()
			s.sink.flush()
			s.count.resumed.Add(1)
			if s.from.number > 0 {
				wait = 0 // the consumer has delivered
			}
			s.detach()
		} else if err := s.attach(s.ctx); err == nil {
			continue
		} else if s.nc.IsConnected() && s.ctx.Err() == nil {
			s.sink.report(err)
		}
		select {
		case <-time.After(wait):
			wait = min(max(firstPause, 2*wait), lastPause)
		case <-s.status:
			wait = firstPause
		case <-s.ctx.Done():
		}
	}
	s.detach()
}

// read reads until the consumer must be replaced or s ends.
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
			if len(s.from.queue) == 0 { // otherwise the receiver was blocked by a subscriber
				return
			}
		case <-s.ctx.Done():
			return
		}
	}
}

// takeAll takes m and the messages behind it, up to the size of a batch. It returns
// false if the consumer must be replaced.
func (s *stream) takeAll(m *nats.Msg) bool {
	for m := range batch(m, s.from.queue) {
		if !s.take(m) {
			return false
		}
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
	s.next = seq + 1 // before the call of the codec, which may end this goroutine
	if missed > 0 {
		s.sink.gap(missed)
	}
	s.sink.value(m)
	return true
}

func (s *stream) close() { s.nc.RemoveStatusListener(s.status) }
