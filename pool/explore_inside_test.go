//go:build points

package pool_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/pool"
)

// P6: two goroutines of a task ask for the end of its context at the same moment, and
// it is cancelled: both see that, and one more that asks later.
func TestExploreTwoAskForDone(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		ctx, cancel := context.WithCancel(context.Background()) // does not end
		r.After(cancel)
		contexts := newHandover[context.Context]()
		sees := func(ctx context.Context) {
			ended(ctx.Done())
			if context.Cause(ctx) != errCause {
				t.Errorf("the cause is %v", context.Cause(ctx))
			}
		}
		tr := try(t, r, 1, func(ctx context.Context, n int) (int, error) {
			contexts.give(ctx)
			sees(ctx)
			return n, context.Cause(ctx)
		})
		r.Go("cancels", func() {
			f, err := tr.Submit(ctx, 0)
			if tr.took(err) != nil {
				t.Error(err)
			}
			asks := contexts.take()
			f.Cancel(errCause)
			sees(asks)
		})
		r.Go("asks", func() {
			sees(contexts.take())
		})
	})
}

// P6: once Shutdown has returned early nothing starts any more, in place neither.
func TestExploreShutdownMeetsNested(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		var down sched.Bool
		late := false // used inside the task
		var tr *trial
		tr = try(t, r, 1, func(ctx context.Context, n int) (int, error) {
			if n > 0 {
				if late {
					t.Error("started after Shutdown")
				}
				return n, nil
			}
			f, err := tr.Submit(context.Background(), 1)
			if tr.took(err) != nil {
				return 0, nil
			}
			tr.busy.leave() // it lends its place
			defer tr.busy.enter()
			late = down.Load()
			_, _ = f.Wait(ctx)
			return n, nil
		})
		tr.goes(0)
		r.Go("shuts down", func() {
			ctx, cancel := context.WithCancelCause(context.Background())
			cancel(errCause)
			if err := tr.Shutdown(ctx); err != nil && !errors.Is(err, errCause) {
				t.Errorf("Shutdown: %v", err)
			}
			down.Store(true)
		})
	})
}

// P12: a task that waits for one which runs in its place leaves its room to that one, so the
// other worker can be given a task meanwhile.
func TestExploreRoomOfTheWaiting(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		inPlace, there := newHandover[bool](), make(chan struct{}, 1)
		var tr *trial
		tr = try(t, r, 2, func(ctx context.Context, n int) (int, error) {
			switch n {
			case 0:
				tr.busy.leave() // it lends its place
				defer tr.busy.enter()
				f, err := tr.Submit(ctx, 1)
				if tr.took(err) != nil {
					t.Error(err)
					return n, nil
				}
				return f.Wait(ctx)
			case 1:
				waiting := tr.Stats().Waiting > 0 // otherwise the other worker has taken this one
				inPlace.give(waiting)
				if waiting {
					sched.Park(there)
				}
			case 2:
				sched.Signal(there)
			}
			return n, nil
		}, pool.WithQueue(0))
		tr.goes(0)
		r.Go("submits", func() {
			if inPlace.take() {
				tr.goes(2)
			}
		})
	})
}
