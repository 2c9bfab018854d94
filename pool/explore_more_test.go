//go:build points

package pool_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/pool"
)

// P5: a task on the only worker waits for a group to which another goroutine adds a task.
func TestExploreGroupGrowsInside(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		g := newHandover[*pool.Group[int, int]]()
		var tr *trial
		tr = try(t, r, 1, func(ctx context.Context, n int) (int, error) {
			if n > 0 {
				return n, nil
			}
			group := tr.Group(ctx)
			g.give(group)
			tr.busy.leave() // it lends its place
			defer tr.busy.enter()
			if vs, err := group.Wait(ctx); err != nil || len(vs) > 1 || len(vs) == 1 && vs[0] != 1 {
				t.Errorf("got %v, %v", vs, err)
			}
			return n, nil
		})
		tr.goes(0)
		r.Go("adds", func() { tr.joins(g.take(), 1) })
	})
}

// P5: a task waits inside for a group. A task of the group runs on the other worker, and waits for
// one that comes later, for which there is no worker.
func TestExploreGroupIsHelpedLate(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		g := newHandover[*pool.Group[int, int]]()
		later := make(chan struct{}, 1)
		var tr *trial
		tr = try(t, r, 2, func(ctx context.Context, n int) (int, error) {
			switch n {
			case 0:
				group := tr.Group(ctx)
				tr.joins(group, 1)
				g.give(group)
				tr.busy.leave() // it lends its place
				defer tr.busy.enter()
				if vs, err := group.Wait(ctx); err != nil || len(vs) < 1 || vs[0] != 1 {
					t.Errorf("got %v, %v", vs, err)
				}
			case 1:
				sched.Park(later)
			case 2:
				sched.Signal(later)
			}
			return n, nil
		})
		tr.goes(0)
		r.Go("adds", func() { tr.joins(g.take(), 2) })
	})
}

// G: a group is waited for while the pool refuses a task of it.
func TestExploreGroupIsRefused(t *testing.T) {
	for name, opts := range map[string][]pool.GroupOption{"fail fast": nil, "all": {pool.CollectAll()}} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				tr := try(t, r, 1, quick)
				g := tr.Group(context.Background(), opts...)
				var added sched.Bool
				r.Go("adds", func() { added.Store(tr.joins(g, 1)) })
				r.Go("waits", func() {
					if vs, err := g.Wait(context.Background()); err != nil && !errors.Is(err, pool.ErrClosed) {
						t.Errorf("got %v, %v", vs, err)
					}
				})
				r.Go("stops", tr.stop)
				r.After(func() {
					vs, err := g.Wait(context.Background())
					switch {
					case added.Load() && len(vs) != 1, err == nil && len(vs) == 1 && vs[0] != 1:
						t.Errorf("got %v, %v", vs, err)
					}
				})
			})
		})
	}
}

// Idle workers end after the idle timeout, in whatever order they have come to rest, and as
// many stay as are to.
func TestExploreIdleWorkersEnd(t *testing.T) {
	for _, stay := range []int{0, 1} {
		t.Run(fmt.Sprint(stay, " stay"), func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				tr := try(t, r, 2, quick, pool.WithIdleTimeout(time.Second), pool.WithMinWorkers(stay))
				tr.goes(0)
				r.Go("a", func() { tr.goes(1) })
				for i, wait := range []time.Duration{time.Second / 2, time.Second} { // before the timer, and as it fires
					r.Go(wait.String(), func() {
						time.Sleep(wait)
						tr.goes(2 + i)
					})
				}
				r.After(func() {
					time.Sleep(time.Minute)
					if s := tr.Stats(); s.Workers != stay {
						t.Errorf("long at rest: %s", brief(s))
					}
				})
			})
		})
	}
}

// Wait returns when no accepted task is unfinished, and not before.
func TestExploreWait(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		tr := try(t, r, 1, quick)
		tr.goes(0)
		f, err := tr.Submit(context.Background(), 1)
		tr.took(err)
		r.Go("waits", func() {
			if err := tr.Wait(context.Background()); err != nil {
				t.Error(err)
			}
			if s := tr.Stats(); s.Completed+s.Cancelled != 2 {
				t.Errorf("Wait has returned, but %s", brief(s))
			}
		})
		r.Go("cancels", func() { f.Cancel(errCause) })
	})
}

// Wait returns when the last task is cancelled in the queue, although no worker looks at it.
func TestExploreWaitMeetsCancel(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		tr := try(t, r, 1, quick)
		tr.Resize(0)
		f, err := tr.Submit(context.Background(), 0)
		tr.took(err)
		r.Go("waits", func() {
			if err := tr.Wait(context.Background()); err != nil {
				t.Error(err)
			}
		})
		r.Go("cancels", func() { f.Cancel(errCause) })
	})
}

// C2: Wait gives up, and another one goes on.
func TestExploreWaitGivesUp(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		ctx, cancel := context.WithCancelCause(context.Background())
		tr := try(t, r, 1, quick)
		tr.goes(0)
		r.Go("waits", func() {
			if err := tr.Wait(ctx); err != nil && err != errCause {
				t.Error(err)
			}
		})
		r.Go("waits longer", func() {
			if err := tr.Wait(context.Background()); err != nil {
				t.Error(err)
			}
		})
		r.Go("cancels", cancels(cancel))
	})
}

// full makes a pool whose only worker is busy until free is signalled, and whose queue is full of
// one task under ctx, which ends because of errCause.
func full(ctx context.Context, t testing.TB, r *explore.Run) (tr *trial, free chan struct{}) {
	free = make(chan struct{}, 1)
	tr = try(t, r, 1, func(_ context.Context, n int) (int, error) {
		if n == 0 {
			sched.Park(free)
		}
		return n, nil
	}, pool.WithQueue(1))
	tr.goes(0)
	synctest.Wait()
	f, err := tr.Submit(ctx, 1)
	tr.took(err)
	r.After(func() {
		_, err := f.Wait(context.Background())
		tr.is(0, err, 0, errCause)
	})
	return tr, free
}

// P12: tasks in the queue whose context has ended make room for one that comes, although the
// only worker is busy.
func TestExploreSweep(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		ctx, cancel := context.WithCancelCause(context.Background())
		tr, free := full(ctx, t, r)
		r.Go("cancels and submits", func() {
			cancels(cancel)()
			tr.goes(2)
			sched.Signal(free)
		})
		r.Go("looks", func() { checkSum(t, tr.Stats()) })
	})
}

// P12: a sweep for a call that is refused lets in the submitter which waits for room, although
// the only worker waits for that one.
func TestExploreSweepLetsIn(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		ctx, cancel := context.WithCancelCause(context.Background())
		tr, free := full(ctx, t, r)
		r.Go("waits", func() {
			tr.goes(2)
			sched.Signal(free)
		})
		r.Go("cancels and tries", func() {
			cancels(cancel)()
			if err := tr.TryGo(context.Background(), 3); err == nil { // before the other one looked
				_ = tr.took(nil)
				sched.Signal(free)
			} else if !errors.Is(err, pool.ErrQueueFull) {
				t.Error(err)
			}
		})
	})
}

// A submitter does not overtake one that waits for room.
func TestExploreNoneOvertakes(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		var order []int // of the only worker
		room := make(chan struct{}, 1)
		tr := try(t, r, 1, func(_ context.Context, n int) (int, error) {
			if order = append(order, n); n == 0 {
				sched.Park(room)
			}
			return n, nil
		}, pool.WithQueue(0))
		tr.goes(0)
		late := false
		r.Go("waits", func() { tr.goes(1) })
		r.Go("comes later", func() {
			late = tr.Stats().Blocked > 0
			sched.Signal(room)
			if late {
				tr.goes(2)
			}
		})
		r.After(func() {
			if late && !slices.Equal(order, []int{0, 1, 2}) {
				t.Errorf("got %v", order)
			}
		})
	})
}

// Tasks of Go run under the contexts that they were submitted under, of which there are more
// than a pool remembers.
func TestExploreManyContexts(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		type key struct{}
		tr := try(t, r, 1, func(ctx context.Context, n int) (int, error) {
			if v := ctx.Value(key{}); v != n {
				t.Errorf("task %d runs under the context of %v", n, v)
			}
			return n, nil
		})
		r.Go("submits", func() {
			for n := range 9 {
				tr.may(context.WithValue(context.Background(), key{}, n), n, nil)
			}
		})
	})
}

// A submission that begins when Close has returned is refused.
func TestExploreNothingAfterClose(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		tr := try(t, r, 1, quick)
		tr.goes(0)
		var over sched.Bool
		r.Go("submits", func() {
			for n := range 2 {
				was := over.Load()
				if tr.may(context.Background(), n+1, pool.ErrClosed) && was {
					t.Error("accepted after Close")
				}
			}
		})
		r.Go("closes", func() {
			_ = tr.Close()
			over.Store(true)
		})
	})
}

// A walk in the order in which tasks end, while the pool is closed.
func TestExploreMapIsRefused(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		tr := try(t, r, 2, quick, pool.WithQueue(0))
		r.After(func() { tr.accepted.Store(tr.Stats().Submitted) }) // it is not known how many
		r.Go("walks", func() {
			for _, err := range tr.Map(context.Background(), slices.Values([]int{0, 1, 2}), pool.Unordered()) {
				if err != nil && !errors.Is(err, pool.ErrClosed) {
					t.Error(err)
				}
			}
		})
		r.Go("closes", func() { _ = tr.Close() })
	})
}

// P12: what a sweep drops is counted, and its error known, before Close returns.
func TestExploreSweepMeetsClose(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		ctx, cancel := context.WithCancelCause(context.Background())
		ends, closes := make(chan struct{}, 1), make(chan struct{}, 1)
		tr := try(t, r, 1, func(_ context.Context, n int) (int, error) {
			if n == 0 {
				sched.Park(ends)
			}
			return n, nil
		}, pool.WithQueue(1))
		tr.goes(0)
		synctest.Wait()
		asked := asked{Context: ctx}
		tr.may(&asked, 1, nil)
		asked.hook = func() { // the sweep has dropped the task, and asks why
			sched.Signal(ends)
			sched.Signal(closes)
		}
		r.Go("cancels and submits", func() {
			cancels(cancel)()
			tr.may(context.Background(), 2, pool.ErrClosed)
			sched.Signal(ends)
			sched.Signal(closes)
		})
		r.Go("closes", func() {
			sched.Park(closes)
			if err := tr.Close(); !errors.Is(err, errCause) {
				t.Errorf("Close: %v", err)
			}
		})
	})
}

// An asked is a context that calls hook when it is asked for a value, such as the cause.
type asked struct {
	context.Context
	hook func()
}

func (c *asked) Value(key any) any {
	if c.hook != nil {
		c.hook()
	}
	return c.Context.Value(key)
}

// A paused pool runs what is queued when it is closed.
func TestExploreClosePaused(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		tr := try(t, r, 1, quick)
		tr.Resize(0)
		tr.goes(0)
		r.Go("closes", func() { _ = tr.Close() })
		r.Go("looks", func() { checkSum(t, tr.Stats()) })
	})
}

// P11: Stop hands back what a busy worker has taken and not begun.
func TestExploreStopNow(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		const tasks = 3
		tr := try(t, r, 1, quick)
		for n := range tasks {
			tr.goes(n)
		}
		r.Go("stops", func() {
			back, _ := tr.Stop(over(pool.ErrClosed))
			for _, n := range back {
				tr.back.Note(n)
			}
		})
		r.After(func() { // the worker may have been about to begin one of them
			if n := tr.begun.Total() + tr.back.Total(); n < tasks-1 {
				t.Errorf("%d begun, %d handed back", tr.begun.Total(), tr.back.Total())
			}
		})
	})
}

// A walk over a group gets what has ended, although another goroutine waits for all.
func TestExploreResultsAndWait(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		first := make(chan struct{}, 1)
		tr := try(t, r, 2, func(_ context.Context, n int) (int, error) {
			if n == 1 {
				sched.Park(first)
			}
			return n, nil
		})
		g := tr.Group(context.Background())
		tr.joins(g, 0)
		tr.joins(g, 1)
		r.Go("walks", func() {
			for res, err := range g.Results(context.Background()) {
				tr.is(res.Value, err, res.Index, nil)
				sched.Signal(first)
			}
		})
		r.Go("waits", func() {
			if vs, err := g.Wait(context.Background()); err != nil || !slices.Equal(vs, []int{0, 1}) {
				t.Errorf("got %v, %v", vs, err)
			}
		})
	})
}
