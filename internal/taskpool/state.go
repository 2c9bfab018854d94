package taskpool

import (
	"context"
	"fmt"
	"runtime/pprof"

	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/taskctx"
)

// openState opens the state of a worker.
func (e *Engine[T, R]) openState(worker int) (fn Func[T, R], closeState func() error, err error) {
	ctx := e.stateContext(worker)
	defer ctx.Finish()
	err = e.contain(ctx, func() (err error) {
		fn, closeState, err = e.Open(ctx)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("pool: opening the state of a worker: %w", err)
	}
	return fn, closeState, nil
}

// stateContext returns a context for functions that open and close the state of a worker, and for
// the handler of their errors. Calls under it are inside a task.
func (e *Engine[T, R]) stateContext(worker int) *taskctx.Context {
	scope := taskctx.NewScope(e.Root, context.Background())
	ctx := scope.Context(e.Root, nil, -1) // its labels are those of the pool alone
	ctx.Worker = int32(worker)
	ctx.Begin()
	return ctx
}

// closeState closes the state of a worker, and reports its error. A handler that shuts the pool
// down must not wait for this worker.
func (e *Engine[T, R]) closeState(w *worker[T, R]) {
	ctx := e.stateContext(w.id)
	defer ctx.Finish()
	err := e.contain(ctx, w.close)
	if err != nil {
		err = fmt.Errorf("pool: closing the state of a worker: %w", err)
		_ = e.contain(ctx, func() error { e.Report(ctx, err, true); return nil })
	}
}

// contain calls fn on another goroutine, with the labels of ctx, so that a Goexit in it is an
// error and nothing worse, and waits for it.
func (e *Engine[T, R]) contain(ctx context.Context, fn func() error) (err error) {
	done := make(chan struct{}, 1)
	go func() {
		defer sched.Signal(done)
		pprof.SetGoroutineLabels(ctx)
		outcome.Run(func() (struct{}, error) { return struct{}{}, fn() }, func(_ struct{}, e error) { err = e })
	}()
	sched.Park(done)
	return err
}
