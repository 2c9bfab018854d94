package natspool

import (
	"context"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/pool"
)

// A Pool runs tasks of type T, with results of type R, in all processes that have
// made one with the same name. It is made by New.
type Pool[T, R any] struct {
	core    *core
	tasks   Codec[T]
	results Codec[R]
	id      func(T) string // nil for none
}

// New returns a pool that runs fn for each task, on at most the given number of
// workers of this process. With 0 workers, and then fn may be nil, this process
// only submits. The streams and the consumer that belong to the name are made if
// they are missing, which takes as long as the server takes, or until ctx ends; the
// life of the pool does not depend on ctx, see [WithContext].
//
// js must be of a connection that lasts: it should reconnect for ever, with
// nats.MaxReconnects(-1), and be closed after the pool.
//
// New panics if ctx or js is nil, if name is not 1 to 64 letters, digits, '-' or
// '_', if workers is negative, if fn is nil though there are workers, or if a
// function or codec of the options is for another type.
func New[T, R any](ctx context.Context, js jetstream.JetStream, name string, workers int, fn pool.Func[T, R], opts ...Option) (*Pool[T, R], error) {
	ctxselect.Require(ctx, "natspool: New")
	misuse.Nil(js == nil, "natspool: New: JetStream")
	misuse.Negative(workers, "natspool: New: workers")
	misuse.Nil(workers > 0 && fn == nil, "natspool: New: function of a pool with workers")
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
	c, err := newCore(ctx, js, names, workers, o, p.executor(fn))
	if err != nil {
		return nil, err
	}
	p.core = c
	return p, nil
}

// executor returns a function that does all that has to do with the types.
func (p *Pool[T, R]) executor(fn pool.Func[T, R]) func(ctx context.Context, data []byte) ([]byte, error) {
	return func(ctx context.Context, data []byte) ([]byte, error) {
		task, err := p.tasks.Decode(data)
		if err != nil {
			return nil, &undecodableError{err}
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

// Go submits a task that no one waits for. It returns nil once the stream has
// stored the task, which then runs, at least once, wherever there is a worker. It
// returns ErrClosed, ErrDuplicate, the cause of a ctx that has ended before, or another
// error when the task is not stored. When the stream has not answered within 5 s, or before ctx
// has ended, it is not known whether it has stored the task, and the error wraps
// ErrUnacknowledged, and the cause of ctx if that has ended; a task with a message id
// is sent again until ctx ends, see [WithMessageID]: if it is gone from the stream by
// then, it has run. An error of the task goes to the
// error handler of the process that runs it.
func (p *Pool[T, R]) Go(ctx context.Context, task T) error {
	ctxselect.Require(ctx, "natspool: Go")
	_, err := p.submit(ctx, task, false)
	return err
}

// Submit submits a task, as Go does, and returns the future of its result. If ctx
// ends when the task has been accepted, that does not affect the task.
func (p *Pool[T, R]) Submit(ctx context.Context, task T) (*Future[R], error) {
	ctxselect.Require(ctx, "natspool: Submit")
	of, err := p.submit(ctx, task, true)
	if err != nil {
		return nil, err
	}
	return &Future[R]{of: of, decode: p.results.Decode}, nil
}

// Do submits a task, waits for it, and returns its result. If ctx ends first, it
// returns the cause of ctx at once; the task runs all the same.
//
// A task must not wait in this way for another one of the same pool, unless there
// is always a worker left: there is no running in place, as in package pool.
func (p *Pool[T, R]) Do(ctx context.Context, task T) (R, error) {
	ctxselect.Require(ctx, "natspool: Do")
	f, err := p.Submit(ctx, task)
	if err != nil {
		var zero R
		return zero, err
	}
	v, err := f.Wait(ctx)
	if err != nil {
		p.core.forget(f.of) // unless it has a result, that is
	}
	return v, err
}

func (p *Pool[T, R]) submit(ctx context.Context, task T, wanted bool) (*promise, error) {
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
	return p.core.submit(ctx, data, id, wanted)
}
