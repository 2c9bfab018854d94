package pool

import (
	"context"
	"fmt"
	"runtime/pprof"

	"github.com/tandemgo/tandem/internal/goid"
	"github.com/tandemgo/tandem/internal/outcome"
)

// openState opens the state of w, which has none.
func (e *engine[T, R]) openState(w *worker[T, R]) (err error) {
	w.fn, w.close, err = e.openGuarded()
	return err
}

func (e *engine[T, R]) openGuarded() (fn Func[T, R], closeState func() error, err error) {
	ctx := e.named(e.ctx, -1)
	err = e.contain(ctx, func() (err error) {
		fn, closeState, err = e.opener(ctx)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("pool: opening the state of a worker: %w", err)
	}
	return fn, closeState, nil
}

// stateFor returns what a task that runs in place on goroutine g is to be run
// with. A goroutine that a task has started gets a state that is opened for it,
// since the worker's may be in use.
func (e *engine[T, R]) stateFor(g uint64) (fn Func[T, R], closeState func() error, err error) {
	if e.fn != nil {
		return e.fn, nil, nil
	}
	e.mu.Lock()
	for _, w := range e.workers {
		if w.goid == g {
			fn = w.fn
		}
	}
	e.mu.Unlock()
	if fn != nil {
		return fn, nil, nil
	}
	return e.openGuarded()
}

// noteClosing keeps the first error of closing a state.
func (c *core) noteClosing(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closeErr == nil {
		c.closeErr = err
	}
}

// closeState closes the state of w if it has one. An error goes to the error
// handler and is returned.
func (e *engine[T, R]) closeState(w *worker[T, R]) error {
	if w.close == nil {
		return nil
	}
	closeState := w.close
	w.close, w.fn = nil, nil
	return e.closeGuarded(closeState)
}

func (e *engine[T, R]) closeGuarded(closeState func() error) error {
	ctx := e.named(context.Background(), -1)
	err := e.contain(ctx, closeState)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("pool: closing the state of a worker: %w", err)
	if e.onError != nil {
		pprof.SetGoroutineLabels(ctx)
		e.onError(err)
	}
	return err
}

// contain calls fn on a goroutine of its own, with the labels of ctx, so that a Goexit
// in it is an error and nothing worse, and waits for it. Calls in fn come from inside a
// task.
func (c *core) contain(ctx context.Context, fn func() error) (err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		pprof.SetGoroutineLabels(ctx)
		defer c.enter(goid.Current(), place{})()
		outcome.Run(func() (struct{}, error) { return struct{}{}, fn() },
			func(_ struct{}, e error) { err = e })
	}()
	<-done
	return err
}

// stateful adapts the functions of NewStateful to the engine.
func stateful[S, T, R any](open func(context.Context) (S, error),
	fn func(context.Context, S, T) (R, error), closeState func(S) error,
) func(context.Context) (Func[T, R], func() error, error) {
	return func(ctx context.Context) (Func[T, R], func() error, error) {
		state, err := open(ctx)
		if err != nil {
			return nil, nil, err
		}
		run := func(ctx context.Context, task T) (R, error) { return fn(ctx, state, task) }
		return run, func() error { return closeState(state) }, nil
	}
}
