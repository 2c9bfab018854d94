package taskpool

import (
	"context"
	"fmt"

	"github.com/tandemgo/tandem/internal/taskctx"
)

// openState opens the state of a worker. Calls under the context that it gives to the function
// are inside a task.
func (e *Engine[T, R]) openState(worker int) (fn Func[T, R], closeState func() error, err error) {
	scope := taskctx.NewScope(e.Root, context.Background())
	ctx := scope.Context(e.Root, nil, -1) // its labels are those of the pool alone
	ctx.Worker = int32(worker)
	ctx.Begin()
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

// closeState closes the state of a worker, and reports its error.
func (e *Engine[T, R]) closeState(closeState func() error) {
	ctx := e.Root.Named(context.Background(), -1)
	err := e.contain(ctx, closeState)
	if err != nil {
		err = fmt.Errorf("pool: closing the state of a worker: %w", err)
		_ = e.contain(ctx, func() error { e.Report(ctx, err, true); return nil })
	}
}
