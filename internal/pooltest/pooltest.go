// Package pooltest has the laws that hold wherever the tasks of a pool run: in this
// process, or in any that takes them from a queue. A test of a pool calls Run.
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

// Make makes a pool of its own for a test, which does not try a task again that has
// failed. Of errors it may keep no more than their text, unless they are of package
// pool.
type Make func(t *testing.T, workers int, fn pool.Func[int, int]) Pool

// Like is a pool whose futures have the type F.
type Like[F Future] interface {
	Go(ctx context.Context, task int) error
	Do(ctx context.Context, task int) (int, error)
	Submit(ctx context.Context, task int) (F, error)
	Close() error
	Shutdown(ctx context.Context) error
}

// Adapt makes a Pool of p.
func Adapt[F Future](p Like[F]) Pool { return adapted[F]{p} }

type adapted[F Future] struct{ Like[F] }

func (a adapted[F]) Submit(ctx context.Context, task int) (Future, error) {
	f, err := a.Like.Submit(ctx, task)
	if err != nil {
		return nil, err // and no Future that is a nil F
	}
	return f, nil
}

// Run holds the pools that are made by newPool to the laws.
func Run(t *testing.T, newPool Make) {
	for _, law := range []struct {
		name string
		test func(*testing.T, Make)
	}{
		{"ResultAndErrorComeBack", resultAndErrorComeBack},
		{"PanicAndGoexitAreErrors", panicAndGoexitAreErrors},
		{"EveryTaskExactlyOnce", everyTaskExactlyOnce},
		{"AllWorkersAndNoMore", allWorkersAndNoMore},
		{"NothingWaitsBehindATask", nothingWaitsBehindATask},
		{"ResultsMayBeReadLate", resultsMayBeReadLate},
		{"EndedContextSubmitsNothing", endedContextSubmitsNothing},
		{"WaitReturnsTheCause", waitReturnsTheCause},
		{"ClosedAcceptsNothing", closedAcceptsNothing},
		{"CloseWaitsForWhatRuns", closeWaitsForWhatRuns},
		{"ShutdownInsideATaskDoesNotWait", shutdownInsideATaskDoesNotWait},
		{"ShutdownEndsContexts", shutdownEndsContexts},
		{"ShutdownOfAnIdlePool", shutdownOfAnIdlePool},
		{"NilContextPanics", nilContextPanics},
	} {
		t.Run(law.name, func(t *testing.T) { law.test(t, newPool) })
	}
}

// patience is how long anything that must happen may take.
const patience = time.Minute

// soon returns a context that ends when nobody can believe any more that what is
// waited for will happen.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// receive returns what comes from ch, and fails the test if nothing does.
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
