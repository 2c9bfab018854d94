//go:build points

package pool_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/point"
	"github.com/tandemgo/tandem/pool"
)

// P6: no task starts once the context of the pool has ended, whether it is queued, waits
// for room or is just being submitted.
func TestExploreNothingStartsAfterTheRoot(t *testing.T) {
	for name, opts := range map[string][]pool.Option{
		"no room":  {pool.WithQueue(0)},
		"room":     nil,
		"priority": {pool.WithPriority(time.Second, func(int) int { return 0 })},
	} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				root, cancel := context.WithCancelCause(context.Background())
				ended := false
				tr := try(t, r, 1, func(_ context.Context, n int) (int, error) {
					if ended {
						t.Errorf("task %d has started", n)
					}
					point.At("task")
					return n, nil
				}, append(opts[:len(opts):len(opts)], pool.WithContext(root))...)
				r.Go("submits", func() {
					for n := range 2 {
						was := ended
						if ok := tr.may(context.Background(), n, pool.ErrClosed); ok && was {
							t.Errorf("task %d is accepted", n)
						}
					}
				})
				r.Go("ends", func() {
					cancel(errCause)
					ended = true
				})
			})
		})
	}
}

// P11: a future is cancelled as its task returns: the next task is not.
func TestExploreCancelMeetsTheNext(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		var contexts [2]context.Context
		tr := try(t, r, 1, func(ctx context.Context, n int) (int, error) {
			contexts[n] = ctx
			point.At("task")
			return n, nil
		})
		futures := make(chan *pool.Future[int], 1)
		r.Go("submits", func() {
			for n := range 2 {
				f, err := tr.Submit(context.Background(), n)
				if tr.took(err) != nil {
					t.Error(err)
				}
				if n == 0 {
					futures <- f
				}
			}
		})
		r.Go("cancels", func() { (<-futures).Cancel(errCause) })
		r.After(func() {
			synctest.Wait()
			if c := contexts[1]; c != nil && c.Err() != nil {
				t.Errorf("the next one has ended: %v", context.Cause(c))
			}
		})
	})
}

// P11: Done of a task's context is called as the pool comes to rest: the context ends with
// that of the pool all the same.
func TestExploreAsksAsThePoolComesToRest(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		root, cancel := context.WithCancelCause(context.Background())
		contexts := make(chan context.Context, 1)
		tr := try(t, r, 1, func(ctx context.Context, n int) (int, error) { contexts <- ctx; return n, nil }, pool.WithContext(root))
		tr.goes(0)
		r.Go("closes", func() { tr.Close() })
		var done <-chan struct{}
		r.Go("asks", func() { done = (<-contexts).Done() })
		r.After(func() {
			cancel(errCause)
			synctest.Wait()
			select {
			case <-done:
			default:
				t.Error("it has not ended")
			}
		})
	})
}
