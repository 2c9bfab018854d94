//go:build points

package pool_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/pool"
)

// P6: no task starts once the context of the pool has ended, whether it is queued, waits
// for room or is just being submitted. What happens at the same moment counts as before:
// a task that a worker knows to be behind the end is one behind a task that saw the end.
func TestExploreNothingStartsAfterTheRoot(t *testing.T) {
	byPriority := pool.ByPriority(time.Second, func(int) int { return 0 })
	for name, room := range map[string]int{"no room": 0, "room": 2, "priority": 1} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				root, cancel := context.WithCancelCause(context.Background())
				var ended sched.Bool
				seen := false // used by the only worker
				fn := func(_ context.Context, n int) (int, error) {
					if seen {
						t.Errorf("task %d has started", n)
					}
					seen = ended.Load()
					return n, nil
				}
				opts := []pool.Option{pool.WithQueue(room), pool.WithContext(root)}
				tr := tryIn(t, r, 1, map[string]*pool.Order[int]{"priority": &byPriority}[name], fn, opts...)
				r.Go("submits", func() {
					for n := range 2 {
						was := ended.Load()
						if ok := tr.may(context.Background(), n, pool.ErrClosed); ok && was {
							t.Errorf("task %d is accepted", n)
						}
					}
				})
				r.Go("ends", func() {
					cancels(cancel)()
					ended.Store(true)
				})
			})
		})
	}
}

// P6: when the context of the pool has ended, the next task is refused, whether or not a worker has
// noticed that.
func TestExploreRefusedAfterTheRoot(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		root, cancel := context.WithCancelCause(context.Background())
		tr := try(t, r, 1, quick, pool.WithQueue(2), pool.WithContext(root)).rested(0)
		r.Go("ends and submits", func() {
			cancels(cancel)()
			if tr.may(context.Background(), 1, pool.ErrClosed) {
				t.Error("task 1 is accepted")
			}
		})
	})
}

// P11: a future is cancelled as its task returns: the next task is not.
func TestExploreCancelMeetsTheNext(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		var contexts [2]context.Context
		tr := try(t, r, 1, func(ctx context.Context, n int) (int, error) {
			contexts[n] = ctx
			return n, nil
		})
		futures := newHandover[*pool.Future[int]]()
		r.Go("submits", func() {
			for n := range 2 {
				f, err := tr.Submit(context.Background(), n)
				if tr.took(err) != nil {
					t.Error(err)
				}
				if n == 0 {
					futures.give(f)
				}
			}
		})
		r.Go("cancels", func() { futures.take().Cancel(errCause) })
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
		contexts := newHandover[context.Context]()
		tr := try(t, r, 1, func(ctx context.Context, n int) (int, error) {
			contexts.give(ctx)
			return n, nil
		}, pool.WithContext(root))
		tr.goes(0)
		r.Go("closes", func() { tr.Close() })
		var done <-chan struct{}
		r.Go("asks", func() { done = contexts.take().Done() })
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
