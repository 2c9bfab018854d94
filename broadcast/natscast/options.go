package natscast

import (
	"slices"
	"strings"
	"time"
)

const (
	defaultCapacity  = 1024
	defaultQueue     = 16384
	defaultHeartbeat = time.Second
	mostHeartbeat    = 30 * 24 * time.Hour // so that no multiple of it overflows

	longestOrigin = 128
)

// An Option changes how [New] and [NewStream] make a broadcast.
type Option func(*options)

type options struct {
	subjects  []string // to receive
	set       any      // a func(*T, string) for values of type T
	capacity  int
	queueSize int
	heartbeat time.Duration
	origin    string
	buffering bool
	replay    int
	codec     any // a Codec of the values' type
	onError   func(error)
}

// WithSubjects sets the subjects whose values this process receives, in place of the one
// that it sends on. They may have wildcards, as "orders.*" or "orders.>", and must not
// overlap; one of them must match the subject of New or NewStream. After a value is
// decoded, set is called with it and its subject, on the receiver's goroutine, like the
// codec; set may be nil. The order of each sender, and the counts of missing values, are
// as with one subject. A stream must hold these subjects and no others. WithSubjects
// panics without a subject. New and NewStream panic if a subject is not valid, if two
// overlap or none matches, or if set is for values of another type.
func WithSubjects[T any](set func(v *T, subject string), subjects ...string) Option {
	require(len(subjects) > 0, "WithSubjects: there must be at least one subject, got none")
	subjects = slices.Clone(subjects)
	return func(o *options) {
		o.subjects, o.set = subjects, set
	}
}

// WithCapacity sets how many values are retained in this process, see
// [broadcast.WithCapacity]. The default is 1024. It panics if n is less than 1.
func WithCapacity(n int) Option {
	require(n >= 1, "WithCapacity: capacity must be at least 1, got %d", n)
	return func(o *options) { o.capacity = n }
}

// WithQueue sets how many messages can wait in this process while subscribers with the
// policy Block or the codec are slow. On core NATS messages that do not fit are lost
// and counted; on JetStream the process requests only as many as fit. The default is
// 16384. It panics if n is not 1 to 16,777,216.
func WithQueue(n int) Option {
	require(n >= 1 && n <= 1<<24, "WithQueue: size must be 1 to 16777216, got %d", n)
	return func(o *options) { o.queueSize = n }
}

// WithHeartbeat sets how soon the loss of the last values is noticed. On core NATS the
// sender sends a heartbeat with the number of its values at most d after a value, then
// after d, twice that time, and so on up to 32 times d, for as long as the broadcast is
// open. If
// no value is sent, a process that was disconnected may need that long to learn how
// many values it has missed. An origin that is silent for 96 times its d, and has not
// been closed, is a gap of unknown size. On JetStream a stream that is silent for 3
// times d is read anew. The default is 1 s; more than 30 days count as 30 days. It panics
// if d is less than 100 ms.
func WithHeartbeat(d time.Duration) Option {
	require(d >= 100*time.Millisecond, "WithHeartbeat: duration must be at least 100ms, got %v", d)
	return func(o *options) { o.heartbeat = min(d, mostHeartbeat) }
}

// WithOrigin sets the name of this sender. Two broadcasts that are open at once, on
// subjects that one process receives, must not have the same name. With a name, other processes notice that this
// process was restarted: there is a gap of unknown size, unless the broadcast was
// closed before. The default is a random name. It panics if name is empty, longer than
// 128 bytes, or has spaces or control characters.
func WithOrigin(name string) Option {
	bad := name == "" || len(name) > longestOrigin || strings.ContainsFunc(name, isSpace)
	require(!bad, "WithOrigin: name must have 1 to %d bytes and no spaces, got %q", longestOrigin, name)
	return func(o *options) { o.origin = name }
}

// WithBuffering lets Send continue while the connection is lost. On core NATS the buffer
// of the connection keeps the values, see [nats.ReconnectBufSize], and sends them after
// the reconnection; on JetStream Send waits for the reconnection. Without the option
// Send returns ErrDisconnected: on core NATS at once, on JetStream at once or, if an
// attempt was not answered, 2 s later, in which time the connection may be back.
func WithBuffering() Option { return func(o *options) { o.buffering = true } }

// WithReplay makes a broadcast on JetStream begin with the last n values of the stream,
// or with all if there are fewer. This process retains them when NewStream returns; a
// smaller capacity is raised to n. The default is 0. WithReplay panics if n is
// negative, and New panics if n is not 0.
func WithReplay(n int) Option {
	require(n >= 0, "WithReplay: number must not be negative, got %v", n)
	return func(o *options) { o.replay = n }
}

// WithCodec sets how values are encoded. The default is JSON. WithCodec panics if c is
// nil; New and NewStream panic if c is for values of another type.
func WithCodec[T any](c Codec[T]) Option {
	require(c != nil, "WithCodec: codec must not be nil")
	return func(o *options) { o.codec = c }
}

// WithErrorHandler sets a function that is called with errors in the background: a
// [*DecodeError], or the reason why the stream cannot be read at present. fn runs on
// the receiver's goroutine, so it should be fast. It may call the methods of the
// broadcast that do not block; Close would wait for it. A panic in fn is not recovered.
// By default such errors are only counted.
// WithErrorHandler panics if fn is nil.
func WithErrorHandler(fn func(error)) Option {
	require(fn != nil, "WithErrorHandler: function must not be nil")
	return func(o *options) { o.onError = fn }
}
