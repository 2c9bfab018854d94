// Package pooltest has the laws that hold for every kind of pool, whether its tasks run
// in this process or in any process that takes them from a queue. The test of a pool
// calls Run. The name of each begins with the id of a law of LAWS.md.
package pooltest

import (
	"context"
	"testing"
	"time"

	"github.com/tandemgo/tandem/pool"
)

// A Pool runs tasks that are numbers, with results that are numbers.
type Pool interface {
	Go(ctx context.Context, task int) error
	Do(ctx context.Context, task int) (int, error)
	Submit(ctx context.Context, task int) (Future, error)
	Close() error
	Shutdown(ctx context.Context) error
}

// A Future is the result of a task.
type Future interface {
	Wait(ctx context.Context) (int, error)
	Done() <-chan struct{}
}

// Make makes a pool for one test. The pool must not retry a failed task. It may keep
// only the text of an error, unless the error is of package pool.
type Make func(t *testing.T, workers int, fn pool.Func[int, int]) Pool

// Like is a pool whose futures have the type F.
type Like[F Future] interface {
	Go(ctx context.Context, task int) error
	Do(ctx context.Context, task int) (int, error)
	Submit(ctx context.Context, task int) (F, error)
	Close() error
	Shutdown(ctx context.Context) error
}

// Adapt returns p as a Pool.
func Adapt[F Future](p Like[F]) Pool { return adapted[F]{p} }

type adapted[F Future] struct{ Like[F] }

func (a adapted[F]) Submit(ctx context.Context, task int) (Future, error) {
	f, err := a.Like.Submit(ctx, task)
	if err != nil {
		return nil, err // not a Future with a nil F
	}
	return f, nil
}

// Run tests the laws on the pools that newPool makes.
func Run(t *testing.T, newPool Make) {
	for _, law := range []struct {
		name string
		test func(*testing.T, Make)
	}{
		{"P1ResultAndErrorComeBack", resultAndErrorComeBack},
		{"C4PanicAndGoexitAreErrors", panicAndGoexitAreErrors},
		{"P1EveryTaskExactlyOnce", everyTaskExactlyOnce},
		{"P3AllWorkersAndNoMore", allWorkersAndNoMore},
		{"P4NothingWaitsBehindATask", nothingWaitsBehindATask},
		{"P2ResultsMayBeReadLate", resultsMayBeReadLate},
		{"P6EndedContextSubmitsNothing", endedContextSubmitsNothing},
		{"C2WaitReturnsTheCause", waitReturnsTheCause},
		{"C6ClosedAcceptsNothing", closedAcceptsNothing},
		{"C1CloseWaitsForWhatRuns", closeWaitsForWhatRuns},
		{"C6ShutdownInsideATaskDoesNotWait", shutdownInsideATaskDoesNotWait},
		{"C1ShutdownEndsContexts", shutdownEndsContexts},
		{"C1ShutdownOfAnIdlePool", shutdownOfAnIdlePool},
		{"C5NilContextPanics", nilContextPanics},
	} {
		t.Run(law.name, func(t *testing.T) { law.test(t, newPool) })
	}
}

// maxWait is the longest wait for an expected event.
const maxWait = time.Minute

// soon returns a context that ends after maxWait, when an expected event counts as
// missing.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), maxWait)
	t.Cleanup(cancel)
	return ctx
}

// receive returns a value from ch, and fails the test if none arrives.
func receive[T any](t *testing.T, ch <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-soon(t).Done():
		t.Fatalf("%s: it does not happen", what)
	}
	return v
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
