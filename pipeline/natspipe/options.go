package natspipe

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

// An Option changes how [NewSource] makes a Source, or [NewSink] a Sink. Most options are
// for one of the two; the other one panics if it is given such an option. A nil Option is
// ignored.
type Option func(*options)

type options struct {
	ofSource string // an option that is for a Source only
	ofSink   string // an option that is for a Sink only

	window  int
	codec   any // a Codec of the type of values
	onError func(error)

	subject    string
	partitions int // 0 for none
	ackWait    time.Duration
	maxDeliver int
	backoff    []time.Duration
	key        any // a func(T) string
}

func newOptions(opts []Option) options {
	o := options{
		window: 256, maxDeliver: 5, ackWait: 30 * time.Second, onError: func(error) {},
		backoff: []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute},
	}
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	return o
}

// typed returns the value that an option carries. Options have no type parameters, so
// the type is checked here.
func typed[V any](carried any, otherwise V, what string) V {
	if carried == nil {
		return otherwise
	}
	v, ok := carried.(V)
	require(ok, "%s must be a %v, got %T", what, reflect.TypeFor[V](), carried)
	return v
}

// WithWindow sets how many messages a Source holds at once, those in the buffers of the
// run included.
// A Source with partitions holds at most one message of each. The default is 256. It is
// for a Source. WithWindow panics if n is not 1 to 65,536.
func WithWindow(n int) Option {
	require(n >= 1 && n <= 1<<16, "WithWindow: messages must be 1 to 65536, got %d", n)
	return func(o *options) { o.ofSource, o.window = "WithWindow", n }
}

// WithCodec sets how values are encoded. The default is JSON. It is for a Source and a
// Sink. WithCodec panics if c is nil, NewSource and NewSink if it is for values of
// another type.
func WithCodec[T any](c Codec[T]) Option {
	require(c != nil, "WithCodec: codec must not be nil")
	return func(o *options) { o.codec = c }
}

// WithErrorHandler sets a function that receives a [*MessageError] for each message that
// has failed, and errors in the background: a server that refuses to deliver or to store,
// a dead letter that cannot be stored. It is for a Source and a Sink. fn may be called
// concurrently, and should be fast. A panic in fn is not recovered. By default such
// errors are only counted, in the Stats. WithErrorHandler panics if fn is nil.
func WithErrorHandler(fn func(error)) Option {
	require(fn != nil, "WithErrorHandler: function must not be nil")
	return func(o *options) { o.onError = fn }
}

// WithPartitions makes a Source read the n partitions of a Sink made with [WithKey]: the
// messages of the subjects subject.0 to subject.n-1. All processes together work on one
// message of a partition at a time, so the order per key is kept. NewSource returns an
// error if the stream has messages beyond partition n-1, or if processes before have set
// another n for the same name. WithPartitions panics if subject is empty or has wildcards,
// or if n is not 1 to 1,024.
func WithPartitions(subject string, n int) Option {
	require(subject != "" && !strings.ContainsAny(subject, "*> "), "WithPartitions: subject must not be empty or have wildcards, got %q", subject)
	require(1 <= n && n <= 1024, "WithPartitions: partitions must be 1 to 1024, got %d", n)
	return func(o *options) { o.ofSource, o.subject, o.partitions = "WithPartitions", subject, n }
}

// WithKey makes a Sink store each value in one of n partitions, which a stable hash of
// its key chooses: in the subjects SUBJECT.0 to SUBJECT.n-1. Values of one key are stored
// in the order in which they come; each waits until the one before is confirmed.
// NewSink panics if key is for values of another type, WithKey if key is nil or n is not
// 1 to 1,024.
func WithKey[T any](n int, key func(value T) string) Option {
	require(1 <= n && n <= 1024, "WithKey: partitions must be 1 to 1024, got %d", n)
	require(key != nil, "WithKey: function must not be nil")
	return func(o *options) { o.ofSink, o.partitions, o.key = "WithKey", n, key }
}

// WithAckWait sets how long the server waits for a sign of life from a Source before it
// delivers its messages to another process. A function may run for longer: the Source
// gives signs of life for all messages that it holds. It is a property of the consumer
// that NewSource makes; an existing one keeps its own. It should be well below the
// duplicate window of the Sink's stream. The default is 30 s. It is for a Source.
// WithAckWait panics if d is less than 100 ms.
func WithAckWait(d time.Duration) Option {
	require(d >= 100*time.Millisecond, "WithAckWait: time must be at least 100ms, got %v", d)
	return func(o *options) { o.ofSource, o.ackWait = "WithAckWait", d }
}

// WithMaxDeliver sets in which delivery of a message a failure makes it a dead letter. A
// message that has been delivered twice as often without an answer, since it kills its
// processes, becomes one, too, and so does one that was held each time by a process that
// died. Deliveries that were handed back count. The default is 5. It is for a Source.
// WithMaxDeliver panics if n is less than 1.
func WithMaxDeliver(n int) Option {
	require(n >= 1, "WithMaxDeliver: deliveries must be at least 1, got %d", n)
	return func(o *options) { o.ofSource, o.maxDeliver = "WithMaxDeliver", n }
}

// WithBackoff sets how long a message that has failed waits before it is delivered
// again: after the first delivery, the second, and so on; the last delay repeats. Further
// messages of its partition wait with it. The default is 1 s, 5 s, 30 s, 2 min. It is for
// a Source. WithBackoff panics without a delay or if a delay is negative.
func WithBackoff(delays ...time.Duration) Option {
	require(len(delays) > 0, "WithBackoff: there must be at least one delay, got none")
	for _, d := range delays {
		require(d >= 0, "WithBackoff: delays must not be negative, got %v", d)
	}
	delays = slices.Clone(delays)
	return func(o *options) { o.ofSource, o.backoff = "WithBackoff", delays }
}
