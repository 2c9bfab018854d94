package natspool

import (
	"context"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/pool"
)

// A Pool runs tasks of type T, with results of type R, in all processes that have made
// a pool of the same name. Make one with New.
type Pool[T, R any] struct {
	core    *core
	tasks   Codec[T]
	results Codec[R]
	id      func(T) string // nil for none
}

// New returns a pool that runs fn for each task, on at most the given number of workers
// of this process. With 0 workers this process only submits, and fn may be nil. New
// creates the streams and the consumer of the pool if they are missing; it blocks until
// the server has answered or ctx ends. The life of the pool does not depend on ctx, see
// [WithContext].
//
// The connection of js must be closed after the pool. New returns an error if it does not
// reconnect without limit, with nats.MaxReconnects(-1).
//
// New panics if ctx or js is nil, if name is not 1 to 64 letters, digits, '-' or '_',
// if workers is negative, if fn is nil and workers is not 0, or if a function or codec
// of the options is for another type.
func New[T, R any](ctx context.Context, js jetstream.JetStream, name string, workers int, fn pool.Func[T, R], opts ...Option) (*Pool[T, R], error) {
	require(ctx != nil, "New: context must not be nil")
	require(js != nil, "New: JetStream must not be nil")
	require(workers >= 0, "New: workers must not be negative, got %v", workers)
	require(workers == 0 || fn != nil, "New: function of a pool with workers must not be nil")
	o := options{root: context.Background(), backoff: slices.Clone(defaultBackoff), maxDeliver: defaultMaxDeliver, replicas: 1}
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	names := namesOf(name)
	p := &Pool[T, R]{
		tasks:   typed[T, Codec[T]](o.taskCodec, "WithTaskCodec", jsonCodec[T]{}),
		results: typed[R, Codec[R]](o.resultCodec, "WithResultCodec", jsonCodec[R]{}),
		id:      typed[T, func(T) string](o.messageID, "WithMessageID", nil),
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if o := js.Conn().Opts; !o.AllowReconnect || o.MaxReconnect >= 0 {
		return nil, fmt.Errorf("natspool: New: the connection must reconnect without limit: connect with nats.MaxReconnects(-1), got %d", o.MaxReconnect)
	}
	c, err := newCore(ctx, js, names, workers, o, p.executor(fn))
	if err != nil {
		return nil, err
	}
	p.core = c
	return p, nil
}

// executor returns fn as a function of encoded tasks and results.
func (p *Pool[T, R]) executor(fn pool.Func[T, R]) func(ctx context.Context, data []byte) ([]byte, error) {
	return func(ctx context.Context, data []byte) ([]byte, error) {
		task, err := p.tasks.Decode(data)
		if err != nil {
			return nil, &markedError{fmt.Errorf("natspool: undecodable task: %w", err), undecodable}
		}
		v, err := fn(ctx, task)
		if err != nil {
			return nil, err
		}
		result, err := p.results.Encode(v)
		if err != nil {
			return nil, Permanent(fmt.Errorf("natspool: the result cannot be encoded: %w", err))
		}
		return result, nil
	}
}

// Go submits a task without a Future. It returns nil once the stream has stored the
// task, which then runs at least once, in any process with a worker. It returns
// ErrClosed, ErrDuplicate, the cause of a ctx that has ended before, or another error
// if the task is not stored. If the stream has not answered within 5 s or before ctx
// ends, the stream may or may not have stored the task: the error then wraps
// ErrUnacknowledged, and the cause of ctx if ctx has ended. A task with a message id is
// sent again until ctx ends, see [WithMessageID]; if it is gone from the stream by
// then, it has run. An error of the task goes to the error handler of the process that
// runs it.
func (p *Pool[T, R]) Go(ctx context.Context, task T) error {
	_, err := p.submit(ctx, "Go", task, false)
	return err
}

// Submit submits a task as Go does, and returns the Future of its result. Once the task
// has been accepted, the end of ctx does not affect it.
func (p *Pool[T, R]) Submit(ctx context.Context, task T) (*Future[R], error) {
	of, err := p.submit(ctx, "Submit", task, true)
	if err != nil {
		return nil, err
	}
	return &Future[R]{of: of, id: of.seq, decode: p.result}, nil
}

// Do submits a task, waits for it, and returns its result. If ctx ends first, Do
// returns the cause of ctx at once; the task runs all the same.
//
// A task must not wait in this way for another task of the same pool unless there is
// always a free worker: unlike package pool, Do never runs the task on the calling
// worker.
func (p *Pool[T, R]) Do(ctx context.Context, task T) (R, error) {
	of, err := p.submit(ctx, "Do", task, true)
	if err != nil {
		var zero R
		return zero, err
	}
	v, err := (&Future[R]{of: of, decode: p.result}).Wait(ctx)
	if err != nil {
		p.core.forget(of) // without effect if it has a result
	}
	return v, err
}

func (p *Pool[T, R]) result(data []byte) (R, error) { return decode(p.results, data) }

// in returns the core for a call.
func (p *Pool[T, R]) in(ctx context.Context, call string) *core {
	require(p.core != nil, "%s: the zero Pool is not usable, make one with New", call)
	require(ctx != nil, "%s: context must not be nil", call)
	return p.core
}

func (p *Pool[T, R]) submit(ctx context.Context, call string, task T, wanted bool) (*promise, error) {
	c := p.in(ctx, call)
	data, err := p.tasks.Encode(task)
	if err != nil {
		return nil, fmt.Errorf("natspool: the task cannot be encoded: %w", err)
	}
	id := ""
	if p.id != nil {
		if id, err = encodeID(p.id(task)); err != nil {
			return nil, err
		}
	}
	return c.submit(ctx, data, id, wanted)
}
