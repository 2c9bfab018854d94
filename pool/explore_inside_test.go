//go:build points

package pool_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/point"
)

// P6: two goroutines of a task ask for the end of its context at the same moment, and
// it is cancelled: both see that, and one more that asks later.
func TestExploreTwoAskForDone(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		ctx, cancel := context.WithCancel(context.Background()) // does not end
		r.After(cancel)
		contexts := make(chan context.Context, 1)
		sees := func(ctx context.Context) {
			<-ctx.Done()
			point.At("sees the end")
			if context.Cause(ctx) != errCause {
				t.Errorf("the cause is %v", context.Cause(ctx))
			}
		}
		tr := try(t, r, 1, func(ctx context.Context, n int) (int, error) {
			contexts <- ctx
			point.At("task")
			sees(ctx)
			return n, context.Cause(ctx)
		})
		r.Go("cancels", func() {
			f, err := tr.Submit(ctx, 0)
			if tr.took(err) != nil {
				t.Error(err)
			}
			asks := <-contexts
			contexts <- asks
			point.At("the task runs")
			f.Cancel(errCause)
			sees(asks)
		})
		r.Go("asks", func() {
			asks := <-contexts
			contexts <- asks
			point.At("knows the context")
			sees(asks)
		})
	})
}

// P6: once Shutdown has returned early nothing starts any more, in place neither.
func TestExploreShutdownMeetsNested(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		down := false
		var tr *trial
		tr = try(t, r, 1, func(ctx context.Context, n int) (int, error) {
			if n > 0 {
				if down {
					t.Error("started after Shutdown")
				}
				return n, nil
			}
			f, err := tr.Submit(context.Background(), 1)
			if tr.took(err) != nil {
				return 0, err
			}
			tr.busy.Leave() // it lends its place
			defer tr.busy.Enter()
			return f.Wait(context.Background())
		})
		tr.goes(0)
		r.Go("shuts down", func() {
			ctx, cancel := context.WithCancelCause(context.Background())
			cancel(errCause)
			if err := tr.Shutdown(ctx); err != nil && !errors.Is(err, errCause) {
				t.Errorf("Shutdown: %v", err)
			}
			down = true
		})
	})
}
