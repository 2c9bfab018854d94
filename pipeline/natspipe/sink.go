package natspipe

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/pipeline"
)

const (
	// senders is how many values a Sink sends at once; with more partitions, as many as those.
	senders = 64
	// sendAgain is how long a value waits for its confirmation before it is sent again.
	sendAgain = 2 * time.Second
	// temporary is the code of an error that may be gone the next time.
	temporary = 503
)

// A Sink stores values in a stream. Make one with NewSink; one Sink serves any number of
// runs.
type Sink[T any] struct {
	options
	js      jetstream.JetStream
	subject string
	codec   Codec[T]
	key     func(T) string // nil without partitions

	stored, duplicates atomic.Uint64
}

// NewSink returns a Sink that stores values in the stream of subject, or with [WithKey] of
// the subjects subject.0 to subject.(n-1). It blocks until the server has answered or ctx
// ends, and returns an error if no stream has the subject.
//
// The connection of js must last: it should reconnect without limit, with
// nats.MaxReconnects(-1), and be closed after the run.
//
// NewSink panics if ctx or js is nil, if subject is empty, or if an option is for a Source
// or for values of another type.
func NewSink[T any](ctx context.Context, js jetstream.JetStream, subject string, opts ...Option) (*Sink[T], error) {
	require(ctx != nil, "NewSink: context must not be nil")
	require(js != nil, "NewSink: JetStream must not be nil")
	require(subject != "", "NewSink: subject must not be empty")
	o := newOptions(opts)
	require(o.ofSource == "", "NewSink: %s is for a Source", o.ofSource)
	s := &Sink[T]{
		options: o, js: js, subject: subject,
		codec: typed[Codec[T]](o.codec, jsonCodec[T]{}, "NewSink: WithCodec"),
		key:   typed[func(T) string](o.key, nil, "NewSink: WithKey"),
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if s.key != nil {
		subject += "." + strconv.Itoa(o.partitions-1)
	}
	if _, err := js.StreamNameBySubject(ctx, subject); err != nil {
		return nil, fmt.Errorf("natspipe: NewSink: stream of subject %q: %w", subject, err)
	}
	return s, nil
}

// Stage returns the stage that stores the value of each envelope. When the stream has
// confirmed it, the message that the value came from is acknowledged, and the value sent
// on. Until then the value is sent again every 2 s. While the server is away, or the
// stream has no leader or is full, the stage waits. A value that the stream refuses has
// failed, as with an error in [Map].
//
// 64 values are sent at once, unless an option sets other workers, and are stored in any
// order. With [WithKey] one value of each key is sent at a time, in the order in which they
// come. Stage takes the options of [pipeline.Map].
func (s *Sink[T]) Stage(opts ...pipeline.Option) pipeline.Stage[Msg[T], T] {
	if s.key == nil {
		parallel := []pipeline.Option{pipeline.WithWorkers(senders), pipeline.Unordered()}
		return work("sink", slices.Concat(parallel, opts), s.store)
	}
	// There are lanes of keys, not of partitions: 16 lanes of 16 partitions would leave six idle.
	lane := work("sink", slices.Concat(opts, []pipeline.Option{pipeline.WithWorkers(1)}), s.store)
	return pipeline.ByKey(max(senders, s.partitions), func(m Msg[T]) (key string) {
		defer func() { _ = recover() }() // store panics again
		return s.key(m.Value)
	}, lane, pipeline.WithName("by key"))
}

// place returns the subject of a value.
func (s *Sink[T]) place(v T) string {
	if s.key == nil {
		return s.subject
	}
	h := fnv.New64a()
	h.Write([]byte(s.key(v)))
	return s.subject + "." + strconv.FormatUint(h.Sum64()%uint64(s.partitions), 10)
}

// store stores a value.
func (s *Sink[T]) store(ctx context.Context, m Msg[T]) (none T, err error) {
	data, err := s.codec.Encode(m.Value)
	if err != nil {
		return none, pipeline.Permanent(err)
	}
	msg := &nats.Msg{Subject: s.place(m.Value), Data: data, Header: nats.Header{jetstream.MsgIDHeader: {m.ID() + ">" + s.subject}}}
	for stored := false; !stored; {
		if stored, err = s.send(ctx, msg); err != nil {
			return none, err
		}
	}
	m.share.settle(done, nil)
	return m.Value, nil
}

// send sends a message once. If it may be stored the next time, send reports false when it is
// time for that.
func (s *Sink[T]) send(ctx context.Context, msg *nats.Msg) (stored bool, err error) {
	one, cancel := context.WithTimeout(ctx, sendAgain)
	defer cancel()
	ack, err := s.js.PublishMsg(one, msg)
	api, ok := errors.AsType[*jetstream.APIError](err)
	switch {
	case err == nil:
		if ack.Duplicate {
			s.duplicates.Add(1)
		} else {
			s.stored.Add(1)
		}
		return true, nil
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case ok && api.Code != temporary, errors.Is(err, nats.ErrMaxPayload), errors.Is(err, nats.ErrConnectionClosed):
		return false, fmt.Errorf("natspipe: subject %q: %w", msg.Subject, err)
	}
	s.onError(fmt.Errorf("natspipe: subject %q: a value is sent again: %w", msg.Subject, err))
	<-one.Done()
	return false, nil
}

// Stats returns a snapshot of this Sink.
func (s *Sink[T]) Stats() SinkStats {
	return SinkStats{s.stored.Load(), s.duplicates.Load()}
}

// SinkStats is a snapshot of the counters of a Sink.
type SinkStats struct {
	Stored     uint64 // values that the stream has stored and confirmed
	Duplicates uint64 // values that the stream had already
}
