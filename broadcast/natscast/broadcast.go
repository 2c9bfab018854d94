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
)

// How it works.
//
// A Broadcast is a generic wrapper of a link, which is a core or a stream. A link knows
// NATS and does not depend on the type of values. The goroutine of the
// receiver takes messages from the channel of the NATS subscription, finds missing
// values by their numbers, and puts values and gaps into the inlet, which decodes the
// values and feeds the local broadcast. A core has a second goroutine, which sends beats:
// they announce how many values were sent. The receiver owns its state, so
// it needs no lock. It wakes on messages, on the status of the connection, on its clock
// and on the end of ctx. It blocks elsewhere only for subscribers with the policy
// Block, and the end of ctx ends that too.
//
// Senders on core take turns, so that numbers and messages have the same order. Senders
// on a stream do not.

// A Broadcast sends values of type T to its subscriptions in all processes that have a
// Broadcast on the same subject. It is made by [New] or [NewStream], must not be
// copied, and is safe for concurrent use.
type Broadcast[T any] struct {
	local   *broadcast.Broadcast[T]
	codec   Codec[T]
	link    link
	count   counters
	cancel  context.CancelFunc
	end     sync.Once
	closed  atomic.Bool
	running sync.WaitGroup
}

// A link connects a broadcast with NATS.
type link interface {
	// send sends a payload. An error means that the value will not be delivered, unless
	// it wraps ErrUncertain.
	send(ctx context.Context, data []byte) error
	// receive runs until its context ends or the connection is closed. If a codec ends
	// its goroutine, receive is called again on another.
	receive()
	// close unsubscribes. It does not wait for receive.
	close()
}

// New returns a broadcast on a subject of core NATS, which delivers each value at most
// once, in the order of each sender. A value sent by any process after New has returned
// is received or counted as missing. The subject must have no wildcards. New waits up
// to 10 s for an answer of the server. It returns an error that wraps ErrDisconnected
// if there is no answer, or ErrUnsuitable if the connection limits its reconnects, does
// not echo, or has no headers. It panics if nc is nil or the subject is not valid.
func New[T any](nc *nats.Conn, subject string, opts ...Option) (*Broadcast[T], error) {
	require(nc != nil, "New: connection must not be nil")
	b, in, o := prepare[T]("New", subject, opts)
	require(o.replay == 0, "New: core NATS has no replay, got WithReplay(%d)", o.replay)
	err := suits("New", nc, true)
	var c *core
	if err == nil {
		c, err = newCore(in.ctx, nc, subject, o, in, &b.count)
	}
	if err != nil {
		b.cancel()
		return nil, err
	}
	b.start(c)
	b.running.Go(c.beat)
	return b, nil
}

// NewStream returns a broadcast on a stream of JetStream, which delivers each value
// once, in one order. The stream must exist, and hold the subject, or those of
// [WithSubjects], and no other. NewStream does not change it; the limits of the stream
// determine which values it keeps. A value stored after NewStream has returned is
// received or counted as missing. ctx bounds how long NewStream waits for the server
// and for the values of [WithReplay]. NewStream returns an error that wraps
// ErrDisconnected if the connection is down, jetstream.ErrStreamNotFound if the stream
// does not exist, or ErrUnsuitable if the stream holds other subjects or the connection
// limits its reconnects. It panics if ctx or js is nil, if stream is empty, or if the
// subject is not valid.
func NewStream[T any](ctx context.Context, js jetstream.JetStream, stream, subject string, opts ...Option) (*Broadcast[T], error) {
	require(ctx != nil, "NewStream: context must not be nil")
	require(js != nil, "NewStream: JetStream must not be nil")
	require(stream != "", "NewStream: stream must have a name, got none")
	b, in, o := prepare[T]("NewStream", subject, opts)
	s := newStream(in.ctx, js, stream, subject, o, in, &b.count)
	err := suits("NewStream", js.Conn(), false)
	if err == nil {
		err = s.open(ctx)
	}
	if err != nil {
		b.cancel()
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

// prepare returns a broadcast without a link, its inlet, and the options that opts set.
func prepare[T any](call, subject string, opts []Option) (*Broadcast[T], *inlet[T], options) {
	o := options{subjects: []string{subject}, capacity: defaultCapacity, queueSize: defaultQueue, heartbeat: defaultHeartbeat}
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	if o.origin == "" {
		o.origin = rand.Text()
	}
	if o.codec == nil {
		o.codec = jsonCodec[T]{}
	}
	codec, ok := o.codec.(Codec[T])
	require(ok, "%s: codec must be for values of type %T, got %T", call, *new(T), o.codec)
	set, ok := o.set.(func(*T, string))
	require(ok || o.set == nil, "%s: WithSubjects: function must be for values of type %T, got %T", call, *new(T), o.set)
	requireSubjects(call, subject, o.subjects)
	local := broadcast.New[T](broadcast.WithCapacity(max(o.capacity, o.replay)))
	ctx, cancel := context.WithCancel(context.Background())
	b := &Broadcast[T]{local: local, codec: codec, cancel: cancel}
	decode := func(m *nats.Msg) (T, error) {
		v, err := codec.Decode(m.Data)
		if err == nil && set != nil {
			set(&v, m.Subject)
		}
		return v, err
	}
	return b, &inlet[T]{ctx: ctx, local: local, decode: decode, onError: o.onError, count: &b.count}, o
}

// requireSubjects panics unless subject is valid for sending, and subjects, those to
// receive, are valid, do not overlap and contain it.
func requireSubjects(call, subject string, subjects []string) {
	require(validSubject(subject) && !strings.ContainsAny(subject, "*>"), "%s: subject must be valid and without wildcards, got %q", call, subject)
	own := false
	for i, s := range subjects {
		require(validSubject(s), "%s: WithSubjects: subject must be valid, got %q", call, s)
		own = own || overlap(s, subject)
		for _, other := range subjects[:i] {
			require(!overlap(s, other), "%s: WithSubjects: subjects must not overlap, got %q and %q", call, other, s)
		}
	}
	require(own, "%s: WithSubjects: one of the subjects must match %q, got %q", call, subject, subjects)
}

func validSubject(subject string) bool {
	tokens := strings.Split(subject, ".")
	for i, token := range tokens {
		wild := strings.ContainsAny(token, "*>")
		if token == "" || wild && token != "*" && (token != ">" || i < len(tokens)-1) {
			return false
		}
	}
	return !strings.ContainsFunc(subject, isSpace)
}

// overlap reports whether two subjects, which may have wildcards, match a common one.
func overlap(a, b string) bool {
	for a != "" && b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		if x == ">" || y == ">" {
			return true
		}
		if x != y && x != "*" && y != "*" {
			return false
		}
	}
	return a == b
}

func isSpace(r rune) bool { return r <= ' ' || r == 0x7f }

// suits returns an error if the options of the connection are unsuitable.
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

// start starts the receiver.
func (b *Broadcast[T]) start(l link) {
	b.link = l
	b.running.Go(b.receive)
}

// receive is the receiver's goroutine. If the codec ends it by runtime.Goexit, another
// one continues.
func (b *Broadcast[T]) receive() {
	returned := false
	defer func() {
		if !returned {
			b.running.Go(b.receive)
		}
	}()
	b.link.receive()
	b.stop() // the connection may have been closed
	returned = true
}

// Send sends v. A nil error means on core NATS that the connection has taken the value,
// and on JetStream that the stream has stored it. Send does not wait for subscribers.
// It returns ErrClosed, the cause of ctx, the error of the codec, an error that wraps
// ErrDisconnected, or the error of the server; after these the value is not delivered.
// It returns an error that wraps ErrUncertain if a stream has not answered before ctx
// has ended or its duplicate window has passed; the value may then be delivered. It
// panics if ctx is nil.
func (b *Broadcast[T]) Send(ctx context.Context, v T) error {
	b.made("Send")
	require(ctx != nil, "Send: context must not be nil")
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if b.closed.Load() {
		return ErrClosed
	}
	data, err := guard(b.codec.Encode, v, func() {})
	if err != nil {
		return fmt.Errorf("natscast: Send: encoding: %w", err)
	}
	if err := b.link.send(ctx, data); err != nil {
		return err
	}
	b.count.sent.Add(1)
	return nil
}

// Subscribe returns a new subscription to the values received from now on. It is a
// subscription of the local broadcast, see [broadcast.Broadcast.Subscribe], with the
// same options: [broadcast.WithReplay] and [broadcast.WithStart] reach back as far as
// this process retains values. Subscribe returns ErrClosed if the broadcast is closed.
func (b *Broadcast[T]) Subscribe(opts ...broadcast.SubscribeOption) (*broadcast.Subscription[T], error) {
	b.made("Subscribe")
	return b.local.Subscribe(opts...)
}

// Stats returns a snapshot. Its counters are read one after the other; Local is
// consistent in itself.
func (b *Broadcast[T]) Stats() Stats {
	b.made("Stats")
	st := b.count.snapshot()
	st.Local = b.local.Stats()
	return st
}

// Close closes the broadcast in this process: it unsubscribes, tells the other
// processes, and waits for its goroutines. So the codec and the error handler must not
// call it and wait for it: there, write go b.Close(). Subscribers read the values
// that are left and then get ErrClosed; values not yet handed to them are dropped. The
// connection stays open. The error is always nil.
func (b *Broadcast[T]) Close() error {
	b.made("Close")
	b.stop()
	b.running.Wait()
	return nil
}

func (b *Broadcast[T]) made(call string) {
	require(b.local != nil, "%s: the zero Broadcast is not usable, make one with New or NewStream", call)
}

// stop ends everything without waiting.
func (b *Broadcast[T]) stop() {
	b.end.Do(func() {
		b.closed.Store(true)
		b.cancel()
		b.link.close()
		_ = b.local.Close()
	})
}
