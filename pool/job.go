package pool

import (
	"context"

	"github.com/tandemgo/tandem/internal/outcome"
)

// A sink is where the result of a task goes.
type sink[R any] interface {
	// attach is called before the task is submitted.
	attach(u *unit)
	// settle is called once if the task was accepted, on any goroutine and
	// without a lock held.
	settle(v R, err error)
}

// A job is what the engine runs: one task and where its result goes.
type job[T, R any] struct {
	unit unit
	pool *Pool[T, R]
	task T
	to   sink[R]
}

func (j *job[T, R]) run(ctx context.Context, finish func(error)) {
	outcome.Run(
		func() (R, error) { return j.pool.fn(ctx, j.task) },
		func(v R, err error) {
			p, to := j.pool, j.to
			j.clear()
			finish(err)
			switch {
			case to != nil:
				to.settle(v, err)
			case err != nil && p.onError != nil:
				p.onError(err)
			}
		})
}

func (j *job[T, R]) abandon(cause error) {
	to := j.to
	j.clear()
	if to != nil {
		var zero R
		to.settle(zero, cause)
	}
}

// clear lets go of the task, since a future or a group may live much longer.
func (j *job[T, R]) clear() {
	var zero T
	j.task, j.to = zero, nil
}
