package natscast

import (
	"fmt"
	"strings"
	"time"

	"github.com/tandemgo/tandem/internal/misuse"
)

const (
	defaultCapacity  = 1024
	defaultQueue     = 16384
	defaultHeartbeat = time.Second

	longestOrigin = 128
)

// An Option changes how [New] and [NewStream] make a broadcast.
type Option func(*options)

type options struct {
	capacity  int
	queue     int
	heartbeat time.Duration
	origin    string
	buffering bool
	replay    int
	codec     any // a Codec of the values' type
	onError   func(error)
}

// WithCapacity sets how many values are retained in this process, see
// [broadcast.WithCapacity]. The default is 1024. It panics if n is less than 1.
func WithCapacity(n int) Option {
	misuse.Below(n, 1, "natscast: WithCapacity: capacity")
	return func(o *options) { o.capacity = n }
}

// WithQueue sets how many messages can wait in this process, while subscribers
// that block are behind, or the codec is. On core NATS, what finds no room is
// lost and counted; on JetStream it is fetched again. The default is 16384. It
// panics if n is less than 1.
func WithQueue(n int) Option {
	misuse.Below(n, 1, "natscast: WithQueue: size")
	return func(o *options) { o.queue = n }
}

// WithHeartbeat sets how soon the loss of the last values is noticed. On core NATS
// a beat says d after a value how many there were, then after twice that time, and
// so on up to 32 times, for as long as the broadcast is open. That is how long it
// can take until a process that was cut off knows what it has missed, if nothing
// is sent. An origin that is silent for 96 times its d, and has not been closed, is
// a gap of unknown size. On JetStream a stream that is silent for 3 times d is asked
// again. The default is a second. It panics if d is less than 100 milliseconds.
func WithHeartbeat(d time.Duration) Option {
	if d < 100*time.Millisecond {
		panic(fmt.Sprintf("natscast: WithHeartbeat: duration must be at least 100ms, got %v", d))
	}
	return func(o *options) { o.heartbeat = d }
}

// WithOrigin names what this broadcast sends. Two that are open at once on one
// subject must not have the same name. With a name, others can tell that a process
// was started again: there is a gap of unknown size, unless it was closed before.
// The default is a name at random. It panics if name is empty, longer than 128
// bytes, or has spaces or control characters.
func WithOrigin(name string) Option {
	if name == "" || len(name) > longestOrigin || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		panic(fmt.Sprintf("natscast: WithOrigin: name must have 1 to %d bytes and no spaces, got %q", longestOrigin, name))
	}
	return func(o *options) { o.origin = name }
}

// WithBuffering lets Send go on while the connection is lost. On core NATS, values
// are kept in the buffer of the connection, see [nats.ReconnectBufSize], and sent
// when it is there again; on JetStream Send waits for that. The default is that
// Send returns ErrDisconnected: on JetStream 2 s after the connection was lost, if a
// value was on its way then, in which time the connection may be back.
func WithBuffering() Option { return func(o *options) { o.buffering = true } }

// WithReplay makes a broadcast on JetStream begin with the last n values of the
// stream, or as many as it holds. They are there when NewStream returns: as many
// as are retained, that is n, if the capacity is less. The default is 0. It panics
// if n is negative, and New panics if n is not 0.
func WithReplay(n int) Option {
	misuse.Negative(n, "natscast: WithReplay: number")
	return func(o *options) { o.replay = n }
}

// WithCodec sets how values are written. The default is JSON. It panics if c is
// nil, New and NewStream panic if it is for values of another type.
func WithCodec[T any](c Codec[T]) Option {
	misuse.Nil(c == nil, "natscast: WithCodec: codec")
	return func(o *options) { o.codec = c }
}

// WithErrorHandler sets a function that is called with what goes wrong while
// nobody waits for it: a [*DecodeError], or why the stream can't be read at
// present. It runs on the goroutine that receives, so it should be fast, and it
// may call any method of the broadcast. A panic in it ends the program. By default
// such errors are only counted.
// It panics if fn is nil.
func WithErrorHandler(fn func(error)) Option {
	misuse.Nil(fn == nil, "natscast: WithErrorHandler: function")
	return func(o *options) { o.onError = fn }
}
