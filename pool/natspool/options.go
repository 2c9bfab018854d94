package natspool

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
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
	ackWait     time.Duration // 0 takes what is there
	duplicates  time.Duration // 0 takes what is there
	replicas    int
	onError     func(context.Context, error)
	messageID   any // carried, a func(T) string
	taskCodec   any // carried, a Codec[T]
	resultCodec any // carried, a Codec[R]
}

// WithContext sets the root of the tasks' contexts in this process. When ctx
// ends, the pool ends as if by a Shutdown whose context has ended: the contexts
// of running tasks end with the cause, and the tasks are handed back, also if they
// then return an error. From that instant on no task is accepted or started: Go,
// Submit and Do return an error that wraps ErrClosed and the cause. The default is [context.Background]. It panics if ctx is nil.
func WithContext(ctx context.Context) Option {
	ctxselect.Require(ctx, "natspool: WithContext")
	return func(o *options) { o.root = ctx }
}

// WithBackoff sets how long a task that has failed waits before it is delivered
// again: after the first failure, the second, and so on; the last one repeats.
// The default is 1 s, 5 s, 30 s, 2 min. It panics if there is none, or if one is
// negative.
func WithBackoff(delays ...time.Duration) Option {
	if len(delays) == 0 {
		panic("natspool: WithBackoff: there must be at least one delay, got none")
	}
	for _, d := range delays {
		misuse.Negative(d, "natspool: WithBackoff: delays")
	}
	delays = slices.Clone(delays)
	return func(o *options) { o.backoff = delays }
}

// WithMaxDeliver sets how often a task is delivered to a worker before it goes to
// the dead letters. A delivery counts if the task fails and if the worker dies. A task
// that is handed back, see [Pool.Shutdown], does not use up a delivery, nor does one
// that comes a second time to the process that has it already. The default is 5. It
// panics if n is less than 1.
func WithMaxDeliver(n int) Option {
	misuse.Below(n, 1, "natspool: WithMaxDeliver: deliveries")
	return func(o *options) { o.maxDeliver = n }
}

// WithAckWait sets after which time without a sign of life from a worker its task
// is delivered to another. A task may run for longer: while it does, its worker
// gives a sign of life at least every half of that time. It is a property of the
// consumer, which all processes share: the last one that sets it is right, and those
// that are there by then learn of it when they start again. The default is what the consumer has, 30 s if there is none yet. It panics if d is
// less than 100 ms.
func WithAckWait(d time.Duration) Option {
	if d < 100*time.Millisecond {
		panic(fmt.Sprintf("natspool: WithAckWait: time must be at least 100ms, got %v", d))
	}
	return func(o *options) { o.ackWait = d }
}

// WithMessageID sets a function that gives a task its message id. Of tasks with
// the same id that are submitted within the duplicate window, see
// [WithDuplicateWindow], the stream stores the first, whoever submits them, and the
// calls for the others return ErrDuplicate, also when the first has run already. A
// call whose acknowledgement does not come sends the task again, until its
// context ends. The function runs on the goroutine that submits; an empty id is
// none. The default is no id.
//
// An id may have any bytes. In the header Nats-Msg-Id it stays as it is, unless it
// begins with "%", or has white space at an end, control characters or invalid UTF-8:
// then it is percent-encoded, after "%=". There it may have at most 30 KiB, and beyond
// 256 bytes it counts as a part of the task, whose size is limited: Go, Submit and Do
// return an error otherwise.
//
// The functions given to New and WithMessageID must agree on the type of tasks:
// New panics otherwise. WithMessageID panics if id is nil.
func WithMessageID[T any](id func(task T) string) Option {
	misuse.Nil(id == nil, "natspool: WithMessageID: function")
	return func(o *options) { o.messageID = carried[T, func(T) string]{id} }
}

// WithDuplicateWindow sets for how long the stream remembers message ids. It is a
// property of the stream, which all processes share: the last one that sets it is
// right. The default is what the stream has, that of the server, 2 minutes, if
// there is none yet. It panics if d is less than 100 ms.
func WithDuplicateWindow(d time.Duration) Option {
	if d < 100*time.Millisecond {
		panic(fmt.Sprintf("natspool: WithDuplicateWindow: time must be at least 100ms, got %v", d))
	}
	return func(o *options) { o.duplicates = d }
}

// WithReplicas sets on how many servers of a cluster the streams are stored, if
// this process is the one that makes them. The default is 1. It panics if n is not
// 1 … 5.
func WithReplicas(n int) Option {
	if n < 1 || n > 5 {
		panic(fmt.Sprintf("natspool: WithReplicas: replicas must be 1 to 5, got %d", n))
	}
	return func(o *options) { o.replicas = n }
}

// WithErrorHandler sets a function that is called with the error of each run, in
// this process, of a task that no one waits for, and with what else goes wrong in
// the background: an undecodable task, a server that refuses to deliver, a dead letter
// that cannot be stored. ctx is the context of the task, or, if the error is not one of a
// task, that of WithContext with an end of its own. Several calls at once are possible. A
// panic in fn is not recovered. By default such errors are only counted, in Stats.
// WithErrorHandler panics if fn is nil.
func WithErrorHandler(fn func(ctx context.Context, err error)) Option {
	misuse.Nil(fn == nil, "natspool: WithErrorHandler: function")
	return func(o *options) { o.onError = fn }
}

// WithTaskCodec sets how tasks are written. The default is JSON. All processes
// must agree on it: to the others the task is undecodable. New panics if the codec
// is not for the pool's type of tasks, WithTaskCodec if it is nil.
func WithTaskCodec[T any](codec Codec[T]) Option {
	misuse.Nil(codec == nil, "natspool: WithTaskCodec: codec")
	return func(o *options) { o.taskCodec = carried[T, Codec[T]]{codec} }
}

// WithResultCodec sets how results are written. The default is JSON. New panics
// if the codec is not for the pool's type of results, WithResultCodec if it is
// nil.
func WithResultCodec[R any](codec Codec[R]) Option {
	misuse.Nil(codec == nil, "natspool: WithResultCodec: codec")
	return func(o *options) { o.resultCodec = carried[R, Codec[R]]{codec} }
}

// A carried is what an option has for a pool whose tasks, or results, are of type
// T. Options have no type parameters, so New, which knows the type, takes it out
// again with typed.
type carried[T, V any] struct{ v V }

// typed returns what an option carries for the type T, otherwise if it was not
// given.
func typed[T, V any](option any, name string, otherwise V) V {
	if option == nil {
		return otherwise
	}
	c, ok := option.(carried[T, V])
	if !ok {
		panic(fmt.Sprintf("natspool: New: %s must be for the pool's type %v, got %s", name, reflect.TypeFor[T](), option))
	}
	return c.v
}

// String returns the type of what is carried.
func (c carried[T, V]) String() string { return fmt.Sprintf("%T", c.v) }
