package natscast

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/goid"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/outcome"
)

// How it works.
//
// A Broadcast is the generic face of a link, core or stream, which knows NATS and
// no type of values. It has two goroutines: the receiver takes messages from the
// channel of the NATS subscription, decides by their numbers what is missing, and
// puts values and gaps into the inlet, which decodes them and feeds the local
// broadcast. Beside it, core has one that tells others how many values were sent,
// and stream one that ends what waits for a server that is gone. All that the
// receiver knows is its own, so it needs no lock. It is woken by messages, by
// the status of the connection, by its clock, and by the end of ctx; it waits for
// nothing else but subscribers that block, and ctx ends that as well.
//
// Senders of core take turns, so that numbers and messages have the same order.
// Those of stream do not.

// A Broadcast sends values of type T to its subscriptions in all processes that
// have one on the same subject. It is made by [New] or [NewStream], must not be
// copied, and is safe for concurrent use.
type Broadcast[T any] struct {
	local    *broadcast.Broadcast[T]
	codec    Codec[T]
	link     link
	count    counters
	cancel   context.CancelFunc
	end      sync.Once
	closed   atomic.Bool
	running  sync.WaitGroup
	receiver atomic.Uint64 // the goroutine that receives, by its number
}

// A link is what connects a broadcast with NATS.
type link interface {
	// send sends a payload. An error says that nobody will see it, or wraps
	// ErrUncertain.
	send(ctx context.Context, data []byte) error
	// receive runs until its context ends, or the connection is closed. After a
	// codec has ended its goroutine, it is called again.
	receive()
	// beside returns what runs beside it, until close or the end of its context.
	beside() func()
	// close unsubscribes. It does not wait for receive.
	close()
}

// New returns a broadcast on a subject of core NATS: at most once, in the order
// of each sender. What is sent anywhere once New has returned is received, or
// counted as missing. The subject must have no wildcards. New waits for an answer
// of the server; it returns an error that wraps ErrDisconnected if there is none,
// or ErrUnsuitable if the connection does not reconnect without end, does not
// echo, or has no headers. It panics if nc is nil or the subject is not valid.
func New[T any](nc *nats.Conn, subject string, opts ...Option) (*Broadcast[T], error) {
	misuse.Nil(nc == nil, "natscast: New: connection")
	requireSubject("New", subject)
	o, codec := settings[T]("New", opts)
	if o.replay != 0 {
		panic(fmt.Sprintf("natscast: New: core NATS has no replay, got WithReplay(%d)", o.replay))
	}
	if err := suits("New", nc, true); err != nil {
		return nil, err
	}
	b, ctx := prepare(o, codec)
	c, err := newCore(ctx, nc, subject, o, b.inlet(ctx, o), &b.count)
	if err != nil {
		b.cancel()
		return nil, err
	}
	b.start(c)
	return b, nil
}

// NewStream returns a broadcast on a stream of JetStream: each value once, in one
// order. The stream must be there, must hold that subject and no other, and is not
// changed; what it keeps, and for how long, is up to its limits. What is stored
// once NewStream has returned is received, or counted as missing. ctx bounds how
// long it waits for the server, and for the values that [WithReplay] asks for. It
// returns an error that wraps ErrDisconnected if the server is not there,
// jetstream.ErrStreamNotFound if the stream is not, or ErrUnsuitable if the stream
// holds other subjects, or the connection does not reconnect without end. It
// panics if ctx or js is nil, or if stream is empty or the subject not valid.
func NewStream[T any](ctx context.Context, js jetstream.JetStream, stream, subject string, opts ...Option) (*Broadcast[T], error) {
	ctxselect.Require(ctx, "natscast: NewStream")
	misuse.Nil(js == nil, "natscast: NewStream: JetStream")
	if stream == "" {
		panic("natscast: NewStream: stream must have a name, got none")
	}
	requireSubject("NewStream", subject)
	o, codec := settings[T]("NewStream", opts)
	if err := suits("NewStream", js.Conn(), false); err != nil {
		return nil, err
	}
	b, life := prepare(o, codec)
	s := newStream(life, js, stream, subject, o, b.inlet(life, o), &b.count)
	if err := s.open(ctx); err != nil {
		b.cancel()
		s.sessions.close()
		if ctx.Err() != nil {
			err = fmt.Errorf("natscast: NewStream: %w", context.Cause(ctx))
		}
		return nil, err
	}
	b.start(s)
	if err := s.awaitPast(ctx); err != nil {
		_ = b.Close()
		return nil, err
	}
	return b, nil
}

// settings applies opts.
func settings[T any](call string, opts []Option) (options, Codec[T]) {
	o := options{capacity: defaultCapacity, queue: defaultQueue, heartbeat: defaultHeartbeat}
	for _, opt := range opts {
		opt(&o)
	}
	if o.origin == "" {
		o.origin = rand.Text()
	}
	o.capacity = max(o.capacity, o.replay)
	if o.codec == nil {
		return o, jsonCodec[T]{}
	}
	codec, ok := o.codec.(Codec[T])
	if !ok {
		panic(fmt.Sprintf("natscast: %s: codec must be for values of type %T, got %T", call, *new(T), o.codec))
	}
	return o, codec
}

// requireSubject panics unless values can be sent on subject.
func requireSubject(call, subject string) {
	bad := strings.ContainsFunc(subject, func(r rune) bool { return r <= ' ' || r == 0x7f })
	for token := range strings.SplitSeq(subject, ".") {
		bad = bad || token == "" || token == "*" || token == ">"
	}
	if bad {
		panic(fmt.Sprintf("natscast: %s: subject must be valid and without wildcards, got %q", call, subject))
	}
}

// suits reports what is wrong with the options of a connection.
func suits(call string, nc *nats.Conn, echo bool) error {
	o := nc.Opts
	switch {
	case !o.AllowReconnect || o.MaxReconnect >= 0:
		return fmt.Errorf("%w: %s: connection must reconnect without end (nats.MaxReconnects(-1)), got %d", ErrUnsuitable, call, o.MaxReconnect)
	case echo && o.NoEcho:
		return fmt.Errorf("%w: %s: connection must get what it sends, got nats.NoEcho", ErrUnsuitable, call)
	case nc.Status() != nats.CONNECTED:
		return fmt.Errorf("%w: %s: the connection is %v", ErrDisconnected, call, nc.Status())
	case !nc.HeadersSupported():
		return fmt.Errorf("%w: %s: server must support headers", ErrUnsuitable, call)
	}
	return nil
}

func prepare[T any](o options, codec Codec[T]) (*Broadcast[T], context.Context) {
	ctx, cancel := context.WithCancel(context.Background())
	return &Broadcast[T]{
		local: broadcast.New[T](broadcast.WithCapacity(o.capacity)),
		codec: codec, cancel: cancel,
	}, ctx
}

func (b *Broadcast[T]) inlet(ctx context.Context, o options) sink {
	return &inlet[T]{
		ctx: ctx, local: b.local, onError: o.onError, count: &b.count,
		decode: func(_ context.Context, data []byte) (T, error) { return b.codec.Decode(data) },
	}
}

// start starts the goroutines.
func (b *Broadcast[T]) start(l link) {
	b.link = l
	b.running.Add(1)
	outcome.Spawn(func() {
		b.receiver.Store(goid.Current())
		l.receive()
		b.stop() // the connection may have been closed
	}, b.running.Done)
	b.running.Go(l.beside())
}

// Send sends v. On core NATS nil means that the connection has taken the value, on
// JetStream that the stream has stored it. It does not wait for subscribers. It
// returns ErrClosed, the cause of ctx, the error of the codec, an error that wraps
// ErrDisconnected, or what the server says, and then nobody will see the value;
// or an error that wraps ErrUncertain, if a stream has not answered until ctx
// ended or for as long as it knows repetitions. It panics if ctx is nil.
func (b *Broadcast[T]) Send(ctx context.Context, v T) error {
	ctxselect.Require(ctx, "natscast: Send")
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if b.closed.Load() {
		return ErrClosed
	}
	encode := func(_ context.Context, v T) ([]byte, error) { return b.codec.Encode(v) }
	data, err := outcome.Call(ctx, encode, v, func() {})
	if err != nil {
		return fmt.Errorf("natscast: Send: encoding: %w", err)
	}
	if err := b.link.send(ctx, data); err != nil {
		return err
	}
	b.count.sent.Add(1)
	return nil
}

// Subscribe returns a new subscription to what comes from now on. It is a local
// one, see [broadcast.Broadcast.Subscribe], and so are its options: Replay and
// From reach as far back as is retained in this process. It returns ErrClosed when
// the broadcast is closed.
func (b *Broadcast[T]) Subscribe(opts ...broadcast.SubscribeOption) (*broadcast.Subscription[T], error) {
	return b.local.Subscribe(opts...)
}

// Stats returns a snapshot. Its numbers are read one after the other, Local at one
// instant.
func (b *Broadcast[T]) Stats() Stats {
	st := b.count.snapshot()
	st.Local = b.local.Stats()
	return st
}

// Close ends the broadcast in this process: it unsubscribes, says goodbye to the
// others, and waits for its goroutines, except for the one on which it is called,
// if that is the codec or the error handler. Subscribers read what is left and
// then get ErrClosed; what has come in and was not handed to them yet is dropped.
// The connection stays open. It returns nil.
func (b *Broadcast[T]) Close() error {
	b.stop()
	if goid.Current() != b.receiver.Load() {
		b.running.Wait()
	}
	return nil
}

// stop ends everything and waits for nothing.
func (b *Broadcast[T]) stop() {
	b.end.Do(func() {
		b.closed.Store(true)
		b.cancel()
		b.link.close()
		_ = b.local.Close()
	})
}
