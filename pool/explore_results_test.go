//go:build points

package pool_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/pool"
)

// Two that wait for a result, and one that cancels the task: both get the same.
func TestExploreFuture(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		tr := try(t, r, 1, untilCancelled)
		f, err := tr.Submit(context.Background(), 0)
		tr.took(err)
		var errs [2]error
		r.Go("waits", func() { _, errs[0] = f.Wait(context.Background()) })
		r.Go("is told", func() {
			ended(f.Done())
			_, errs[1] = f.Wait(context.Background())
		})
		r.Go("cancels", func() { f.Cancel(errCause) })
		r.After(func() {
			for _, err := range errs {
				tr.is(0, err, 0, errCause)
			}
			if (errs[0] == errCause) != (errs[1] == errCause) {
				t.Errorf("got %v", errs)
			}
		})
	})
}

// untilCancelled waits for the end of its context.
func untilCancelled(ctx context.Context, n int) (int, error) {
	ended(ctx.Done())
	return n, context.Cause(ctx)
}

// A task that may be cancelled before it ends by itself.
func TestExploreCancel(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		tr := try(t, r, 1, nil)
		f, err := tr.Submit(context.Background(), 0)
		tr.took(err)
		r.Go("waits", func() {
			if v, err := f.Wait(context.Background()); err != nil {
				tr.is(v, err, 0, errCause)
			} else {
				tr.is(v, err, 0, nil)
			}
		})
		r.Go("cancels", func() { f.Cancel(errCause) })
	})
}

// The end of the context of a task, seen by one who waits for it without any, and
// by Done.
func TestExploreEndOfContext(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		ctx, cancel := context.WithCancelCause(context.Background())
		tr := try(t, r, 1, untilCancelled)
		f, err := tr.Submit(ctx, 0)
		tr.took(err)
		r.Go("waits", func() {
			v, err := f.Wait(context.Background())
			tr.is(v*0, err, 0, errCause)
		})
		r.Go("is told", func() { ended(f.Done()) })
		r.Go("cancels", cancels(cancel))
	})
}

// A waiter whose own context ends as the result comes.
func TestExploreImpatience(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		ctx, cancel := context.WithCancelCause(context.Background())
		tr := try(t, r, 1, nil)
		r.Go("does", func() {
			f, err := tr.Submit(context.Background(), 1)
			tr.took(err)
			if v, err := f.Wait(ctx); err != nil {
				tr.is(v, err, 0, errCause)
			}
			v, err := f.Wait(context.Background())
			tr.is(v, err, 1, nil)
		})
		r.Go("cancels", cancels(cancel))
	})
}

// A group that fails at its first task, while others come.
func TestExploreFailFast(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		tr := try(t, r, 1, func(_ context.Context, n int) (int, error) {
			if n == 0 {
				return 0, errTask
			}
			return n, nil
		})
		g := tr.Group(context.Background())
		tr.joins(g, 0)
		second := newHandover[int]()
		r.Go("adds", func() {
			n := 1
			if tr.joins(g, 1) {
				n = 2
			}
			second.give(n)
		})
		r.Go("waits", func() {
			n := second.take()
			vs, err := g.Wait(context.Background())
			if len(vs) != n && len(vs) != 2 || byTask(t, 0, err) != errTask {
				t.Errorf("got %v, %v", vs, err)
			}
		})
	})
}

// A group that is waited for while it grows: it has what it has accepted.
func TestExploreGroup(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		tr := try(t, r, 1, nil)
		g := tr.Group(context.Background(), pool.CollectAll())
		r.Go("adds", func() {
			tr.joins(g, 3)
		})
		r.Go("waits", func() {
			vs, err := g.Wait(context.Background())
			if err != nil || len(vs) > 1 || len(vs) == 1 && vs[0] != 3 {
				t.Errorf("got %v, %v", vs, err)
			}
		})
		r.After(func() {
			if vs, err := g.Wait(context.Background()); err != nil || len(vs) != int(tr.accepted.Load()) {
				t.Errorf("got %v, %v", vs, err)
			}
		})
	})
}

// Two that wait for two tasks of a group on two workers.
func TestExploreTwoWaitForAGroup(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		tr := try(t, r, 2, func(_ context.Context, n int) (int, error) { return n, nil })
		g := tr.Group(context.Background())
		tr.joins(g, 4)
		tr.joins(g, 5)
		for _, name := range []string{"a", "b"} {
			r.Go(name, func() {
				if vs, err := g.Wait(context.Background()); err != nil || !slices.Equal(vs, []int{4, 5}) {
					t.Errorf("got %v, %v", vs, err)
				}
			})
		}
	})
}

// The context of a group ends while its tasks are queued.
func TestExploreEndOfGroup(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		ctx, cancel := context.WithCancelCause(context.Background())
		tr := try(t, r, 1, nil)
		g := tr.Group(ctx)
		tr.joins(g, 0)
		r.Go("adds and waits", func() {
			n := 1
			if tr.joins(g, 1) {
				n = 2
			}
			if vs, err := g.Wait(context.Background()); len(vs) < n || err != nil && !errors.Is(err, errCause) {
				t.Errorf("got %v, %v", vs, err)
			}
		})
		r.Go("cancels", cancels(cancel))
	})
}

// The walk over the results of a group.
func TestExploreResults(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		tr := try(t, r, 2, nil)
		g := tr.Group(context.Background())
		r.Go("walks", func() {
			tr.joins(g, 0)
			tr.joins(g, 1)
			seen := 0
			for res, err := range g.Results(context.Background()) {
				tr.is(res.Value, err, res.Index, nil)
				seen++
			}
			if seen != 2 {
				t.Errorf("%d results", seen)
			}
		})
	})
}

// P5: two tasks on one worker, each of which waits for a third and a fourth.
func TestExploreNested(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		var tr *trial
		tr = try(t, r, 1, func(ctx context.Context, n int) (int, error) {
			if n < 2 {
				f, err := tr.Submit(ctx, n+2)
				if tr.took(err) != nil {
					return 0, err
				}
				tr.busy.leave() // it lends its place
				defer tr.busy.enter()
				v, err := f.Wait(ctx)
				return v - 2, err
			}
			return n, nil
		}, pool.WithQueue(0))
		r.Go("a", func() { tr.does(0) })
		r.Go("b", func() { tr.does(1) })
	})
}

// The same with groups, and with keys, where a waiter looks in vain while a worker
// has the task and has not begun it.
func TestExploreNestedGroup(t *testing.T) {
	byKey := pool.ByKey(func(n int) int { return n })
	for name, order := range map[string]*pool.Order[int]{"plain": nil, "keys": &byKey} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				var tr *trial
				tr = tryIn(t, r, 2, order, func(ctx context.Context, n int) (int, error) {
					if n > 0 {
						return n, nil
					}
					g := tr.Group(ctx)
					tr.joins(g, 1)
					tr.joins(g, 2)
					tr.busy.leave() // it lends its place
					defer tr.busy.enter()
					vs, err := g.Wait(ctx)
					if !slices.Equal(vs, []int{1, 2}) {
						t.Errorf("got %v", vs)
					}
					return n, err
				})
				r.Go("a", func() { tr.does(0) })
			})
		})
	}
}

// Tasks of one key run one after another, in their order, whoever submits what
// meanwhile.
func TestExploreKeys(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		var order []int
		byKey := pool.ByKey(func(n int) bool { return n < 10 })
		var running sched.Uint64
		tr := tryIn(t, r, 2, &byKey, func(_ context.Context, n int) (int, error) {
			if n < 10 {
				running.Add(1)
				order = append(order, n)
				running.Add(1)
				order = append(order, n)
			}
			return n, nil
		})
		r.Go("a", func() {
			tr.goes(0)
			tr.goes(1)
		})
		r.Go("b", func() { tr.goes(10) })
		r.After(func() {
			if !slices.Equal(order, []int{0, 0, 1, 1}) {
				t.Errorf("got %v", order)
			}
		})
	})
}

// P8: each state that was opened is closed once, before Close returns.
func TestExploreState(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		var opened, closed sched.Uint64
		tr := newTrial(t, r, 2)
		tr.Pool = pool.NewStateful(2,
			func(context.Context) (*int, error) { opened.Add(1); return new(int), nil },
			func(ctx context.Context, _ *int, n int) (int, error) { return tr.watch(nil)(ctx, n) },
			func(s *int) error { *s++; closed.Add(uint64(*s)); return nil })
		tr.goes(0)
		r.Go("submits", func() { tr.may(context.Background(), 1, pool.ErrClosed) })
		r.Go("closes", func() {
			tr.Close()
			if opened, closed := opened.Load(), closed.Load(); opened != closed {
				t.Errorf("%d opened, %d closed", opened, closed)
			}
		})
	})
}

// A walk, its feeder and its tasks; and one that is left early.
func TestExploreMap(t *testing.T) {
	for name, opts := range map[string][]pool.MapOption{"ordered": nil, "unordered": {pool.Unordered()}} {
		for kind, most := range map[string]int{"all": 3, "left": 1} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				explore.Explore(t, func(t testing.TB, r *explore.Run) {
					tr := try(t, r, 1, func(_ context.Context, n int) (int, error) { return n, nil })
					r.After(func() { tr.accepted.Store(tr.Stats().Submitted) }) // nobody is told
					r.Go("walks", func() {
						n, seen := 0, map[int]bool{}
						for v, err := range tr.Map(context.Background(), slices.Values([]int{0, 1, 2}), opts...) {
							if err != nil || seen[v] || name == "ordered" && v != n {
								t.Errorf("got %d, %v", v, err)
							}
							seen[v] = true
							if n++; n == most {
								break
							}
						}
						if n != most {
							t.Errorf("%d results", n)
						}
					})
				})
			})
		}
	}
}

// An unordered walk yields a task that has ended while an earlier one and the source, which
// wait for that, are not over.
func TestExploreWalkYieldsTheLaterOne(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		task, source := make(chan struct{}, 1), make(chan struct{}, 1)
		tr := try(t, r, 2, func(_ context.Context, n int) (int, error) {
			if n == 0 {
				sched.Park(task)
			}
			return n, nil
		})
		r.After(func() { tr.accepted.Store(tr.Stats().Submitted) })
		tasks := func(yield func(int) bool) {
			if yield(0) && yield(1) {
				sched.Park(source)
			}
		}
		r.Go("walks", func() {
			for n, err := range tr.Map(context.Background(), tasks, pool.Unordered()) {
				if err != nil {
					t.Error(err)
				}
				if n == 1 {
					sched.Signal(task)
					sched.Signal(source)
				}
			}
		})
	})
}

// When a walk has been left, none of its tasks runs.
func TestExploreWalkIsLeft(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		var running sched.Uint64
		tr := try(t, r, 1, func(ctx context.Context, n int) (int, error) {
			running.Add(1)
			if n == 1 {
				ended(ctx.Done()) // as the walk is left
			}
			running.Add(^uint64(0))
			return n, nil
		})
		r.After(func() { tr.accepted.Store(tr.Stats().Submitted) })
		r.Go("walks", func() {
			for range tr.Map(context.Background(), slices.Values([]int{0, 1}), pool.Unordered()) {
				break
			}
			if n := running.Load(); n != 0 {
				t.Errorf("%d tasks run", n)
			}
		})
	})
}
