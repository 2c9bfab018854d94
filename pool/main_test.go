package pool_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pool"
)

func TestMain(m *testing.M) { testkit.Main(m) }

var errTask = errors.New("task failed")

// checkSum fails the test if a snapshot does not add up.
func checkSum(t testing.TB, s pool.Stats) {
	t.Helper()
	sum := uint64(s.Queued+s.Running+s.Waiting) + s.Completed + s.Failed + s.Cancelled
	if s.Submitted != sum {
		t.Errorf("submitted %d, but the states add up to %d: %+v", s.Submitted, sum, s)
	}
}

// accept panics if a group has not accepted a task.
func accept(ok bool) {
	if !ok {
		panic("the group accepts no task")
	}
}

// over returns a context that has ended because of cause.
func over(cause error) context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	return ctx
}

// stop ends p now: the contexts of its tasks end with ErrClosed. It returns the tasks that
// have not started, once all others have ended.
func stop[T, R any](p *pool.Pool[T, R]) []T {
	tasks, _ := p.Stop(over(pool.ErrClosed))
	_ = p.Close()
	return tasks
}

// build makes a pool that is ordered unless order is nil.
func build[T, R any](workers int, order *pool.Order[T], fn pool.Func[T, R], opts ...pool.Option) *pool.Pool[T, R] {
	if order == nil {
		return pool.New(workers, fn, opts...)
	}
	return pool.NewOrdered(workers, *order, fn, opts...)
}

// ignoreErrors is for pools whose tasks fail on purpose.
func ignoreErrors() pool.Option { return pool.WithErrorHandler(func(context.Context, error) {}) }

// byTask returns a nil error, or the error of the task with that index, without its index.
func byTask(t testing.TB, index int, err error) error {
	t.Helper()
	te, ok := errors.AsType[*pool.TaskError](err)
	if !ok || te.Index != index {
		t.Errorf("got %v, want the error of task %d", err, index)
		return err
	}
	return te.Err
}
