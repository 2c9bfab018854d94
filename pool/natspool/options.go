package natspool

import (
	"context"
	"reflect"
	"slices"
	"time"
)

const (
	defaultAckWait    = 30 * time.Second
	defaultMaxDeliver = 5
)

var defaultBackoff = []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute}

// An Option changes how [New] makes a pool. A nil Option is ignored.
type Option func(*options)

type options struct {
	root        context.Context
	backoff     []time.Duration
	maxDeliver  int
	ackWait     time.Duration // 0 keeps the consumer's
	duplicates  time.Duration // 0 keeps the stream's
	replicas    int
	onError     func(context.Context, error)
	messageID   any // a func(T) string
	taskCodec   any // a Codec[T]
	resultCodec any // a Codec[R]
}

// WithContext sets the root of the tasks' contexts in this process. When ctx ends, the
// pool ends as if by a Shutdown whose context has ended: the contexts of running tasks
// end with the cause, and the tasks are handed back, even if they then return an error.
// From that instant on no task is accepted or started: Go, Submit and Do return an
// error that wraps ErrClosed and the cause. The default is [context.Background].
// WithContext panics if ctx is nil.
func WithContext(ctx context.Context) Option {
	require(ctx != nil, "WithContext: context must not be nil")
	return func(o *options) { o.root = ctx }
}

// WithBackoff sets how long a task that has failed waits before it is delivered again:
// after the first failure, the second, and so on; the last delay repeats. The default
// is 1 s, 5 s, 30 s, 2 min. WithBackoff panics without a delay or if a delay is
// negative.
func WithBackoff(delays ...time.Duration) Option {
	require(len(delays) > 0, "WithBackoff: there must be at least one delay, got none")
	for _, d := range delays {
		require(d >= 0, "WithBackoff: delays must not be negative, got %v", d)
	}
	delays = slices.Clone(delays)
	return func(o *options) { o.backoff = delays }
}

// WithMaxDeliver sets how often a task is delivered to a worker before it becomes a
// dead letter. A delivery counts if the task fails or if the worker dies. A delivery
// that is handed back, see [Pool.Shutdown], does not count, nor does a delivery to a
// process that already holds the task. The default is 5. WithMaxDeliver panics if n is
// less than 1.
func WithMaxDeliver(n int) Option {
	require(n >= 1, "WithMaxDeliver: deliveries must be at least 1, got %d", n)
	return func(o *options) { o.maxDeliver = n }
}

// WithAckWait sets how long the server waits for a sign of life from a worker before it
// delivers the worker's task to another. A task may run for longer: while it runs, its
// worker gives a sign of life at least every half of that time. The time is a property
// of the consumer, which all processes share: the last process that sets it wins, and
// the processes that run by then use the new time after their next start. The default
// is the consumer's time, and 30 s for a new consumer. WithAckWait panics if d is less
// than 100 ms.
func WithAckWait(d time.Duration) Option {
	require(d >= 100*time.Millisecond, "WithAckWait: time must be at least 100ms, got %v", d)
	return func(o *options) { o.ackWait = d }
}

// WithMessageID sets a function that returns the message id of a task. Of the tasks
// with the same id that any process submits within the duplicate window, see
// [WithDuplicateWindow], the stream stores the first; the calls for the others return
// ErrDuplicate, even if the first task has already run. A call without an
// acknowledgement sends its task again until its context ends. The function runs on the
// goroutine that submits; an empty string means no id. The default is no id.
//
// An id may have any bytes. The header Nats-Msg-Id contains the id unchanged, unless the id
// begins with "%", has white space at an end, control characters or invalid UTF-8: then
// it is percent-encoded, after "%=". In the header it may have at most 30 KiB, and the
// bytes beyond 256 count towards the size of the task, which is limited: Go, Submit and
// Do return an error for larger ones.
//
// New panics if the functions given to New and WithMessageID have different types of
// tasks. WithMessageID panics if id is nil.
func WithMessageID[T any](id func(task T) string) Option {
	require(id != nil, "WithMessageID: function must not be nil")
	return func(o *options) { o.messageID = id }
}

// WithDuplicateWindow sets for how long the stream remembers message ids. It is a
// property of the stream, which all processes share: the last process that sets it
// wins. The default is the stream's window, and for a new stream that of the server, 2
// minutes. WithDuplicateWindow panics if d is less than 100 ms.
func WithDuplicateWindow(d time.Duration) Option {
	require(d >= 100*time.Millisecond, "WithDuplicateWindow: time must be at least 100ms, got %v", d)
	return func(o *options) { o.duplicates = d }
}

// WithReplicas sets on how many servers of a cluster the streams are stored, if this
// process creates them. The default is 1. WithReplicas panics if n is not 1 to 5.
func WithReplicas(n int) Option {
	require(1 <= n && n <= 5, "WithReplicas: replicas must be 1 to 5, got %d", n)
	return func(o *options) { o.replicas = n }
}

// WithErrorHandler sets a function that is called with the error of each run in this
// process of a task without a Future, and with errors in the background: an undecodable
// task, a server that refuses to deliver, a dead letter that cannot be stored. ctx is
// the context of the task. For an error that does not belong to a task, ctx has the
// values of the context of WithContext and ends when the contexts of tasks do. The worker
// of a failed task is occupied until fn returns. fn may be called concurrently. A panic in fn is not recovered. By default such errors are
// only counted, in Stats. WithErrorHandler panics if fn is nil.
func WithErrorHandler(fn func(ctx context.Context, err error)) Option {
	require(fn != nil, "WithErrorHandler: function must not be nil")
	return func(o *options) { o.onError = fn }
}

// WithTaskCodec sets how tasks are encoded. The default is JSON. All processes must use
// the same codec: otherwise tasks are undecodable. New panics if the codec is not for
// the pool's type of tasks, WithTaskCodec if it is nil.
func WithTaskCodec[T any](codec Codec[T]) Option {
	require(codec != nil, "WithTaskCodec: codec must not be nil")
	return func(o *options) { o.taskCodec = codec }
}

// WithResultCodec sets how results are encoded. The default is JSON. New panics if the
// codec is not for the pool's type of results, WithResultCodec if it is nil.
func WithResultCodec[R any](codec Codec[R]) Option {
	require(codec != nil, "WithResultCodec: codec must not be nil")
	return func(o *options) { o.resultCodec = codec }
}

// typed returns the value of an option, or otherwise without the option. Options have no
// type parameters, so New, which knows the type, checks it.
func typed[T, V any](option any, name string, otherwise V) V {
	if option == nil {
		return otherwise
	}
	v, ok := option.(V)
	require(ok, "New: %s must be for the pool's type %v, got %T", name, reflect.TypeFor[T](), option)
	return v
}
