//go:build points

package pool_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/pool"
)

// What is so small that all of its orders are run, or nearly so.
func TestExploreSmall(t *testing.T) {
	background := context.Background()
	for name, p := range map[string]explore.Program{
		"one task": func(t testing.TB, r *explore.Run) {
			tr := try(t, r, 1, quick)
			r.Go("does", func() {
				tr.does(0)
				if s := tr.Stats(); s.Completed != 1 {
					t.Errorf("there is a result, but %s", brief(s))
				}
			})
		},
		"one task, and Close": func(t testing.TB, r *explore.Run) {
			tr := retired(t, r)
			r.Go("submits", func() { tr.may(background, 0, pool.ErrClosed) })
			r.Go("closes", func() { ends["Close"](tr, nil) })
		},
		"one task, and Stop": func(t testing.TB, r *explore.Run) {
			tr := retired(t, r)
			r.Go("submits", func() { tr.may(background, 0, pool.ErrClosed) })
			r.Go("stops", func() { ends["Stop"](tr, nil) })
		},
		"one submitter without room": func(t testing.TB, r *explore.Run) {
			tr := try(t, r, 1, quick, pool.WithQueue(0))
			tr.goes(0)
			r.Go("submits", func() { tr.goes(1) })
		},
		"one submitter without room, cancelled": func(t testing.TB, r *explore.Run) {
			ctx, cancel := context.WithCancelCause(background)
			tr := try(t, r, 1, quick, pool.WithQueue(0))
			tr.goes(0)
			r.Go("submits", func() { tr.may(ctx, 1, errCause) })
			r.Go("cancels", cancels(cancel))
		},
		"two submitters that are let in before a chunk ends": func(t testing.TB, r *explore.Run) {
			in := [2]chan struct{}{make(chan struct{}, 1), make(chan struct{}, 1)}
			tr := try(t, r, 1, func(_ context.Context, n int) (int, error) {
				if n == 2 { // behind two others in a chunk
					sched.Park(in[0])
					sched.Park(in[1])
				}
				return n, nil
			}, pool.WithQueue(11)).hurried()
			for n := range 12 {
				tr.goes(n)
			}
			for i, name := range []string{"submits", "submits as well"} {
				r.Go(name, func() {
					tr.goes(12 + i)
					sched.Signal(in[i])
				})
			}
		},
		"one worker that retires": func(t testing.TB, r *explore.Run) {
			tr := try(t, r, 1, quick, pool.WithIdleTimeout(time.Second)).rested(0)
			r.Go("submits", func() {
				time.Sleep(time.Second)
				tr.goes(1)
				time.Sleep(time.Second / 2)
				tr.goes(2)
			})
		},
		"one future that is cancelled": func(t testing.TB, r *explore.Run) {
			tr := try(t, r, 1, quick)
			f, err := tr.Submit(background, 0)
			tr.took(err)
			r.Go("cancels", func() {
				f.Cancel(errCause)
				if v, err := f.Wait(background); err != nil {
					tr.is(v, err, 0, errCause)
				}
			})
		},
		"one queued task, and the end of its context, which Done tells": queuedAndCancelled(func(f *pool.Future[int]) { <-f.Done() }),
		"one queued task, and the end of its context, which Wait tells": queuedAndCancelled(func(f *pool.Future[int]) {
			_, _ = f.Wait(background)
		}),
		"one task of a group": func(t testing.TB, r *explore.Run) {
			tr := try(t, r, 1, quick)
			g := tr.Group(background)
			tr.joins(g, 1)
			r.Go("waits", func() {
				if vs, err := g.Wait(background); len(vs) != 1 || vs[0] != 1 || err != nil {
					t.Errorf("got %v, %v", vs, err)
				}
			})
		},
		"one nested task": func(t testing.TB, r *explore.Run) {
			var tr *trial
			tr = try(t, r, 1, func(ctx context.Context, n int) (int, error) {
				if n == 0 {
					tr.busy.leave() // it lends its place
					defer tr.busy.enter()
					f, err := tr.Submit(ctx, 1)
					if tr.took(err) == nil {
						n, err = f.Wait(ctx)
					}
					return n - 1, err
				}
				return n, nil
			})
			tr.goes(0)
			r.Go("waits", func() { tr.Close() })
		},
		"fewer workers": func(t testing.TB, r *explore.Run) {
			tr := try(t, r, 2, quick).rested(0)
			r.Go("submits", func() { tr.goes(1) })
			r.Go("resizes", func() { tr.Resize(1) })
		},
		"more workers, for a task that waits behind another": func(t testing.TB, r *explore.Run) {
			second := make(chan struct{}, 1)
			tr := try(t, r, 1, func(_ context.Context, n int) (int, error) {
				if n == 0 {
					sched.Park(second)
				} else {
					sched.Signal(second)
				}
				return n, nil
			})
			tr.workers = 2
			tr.goes(0)
			r.Go("submits", func() { tr.does(1) })
			r.Go("resizes", func() { tr.Resize(2) })
		},
		"a group that ends while a task comes, behind one that lasts": func(t testing.TB, r *explore.Run) {
			ctx, cancel := context.WithCancelCause(background)
			waited := make(chan struct{}, 1)
			tr := try(t, r, 1, func(_ context.Context, n int) (int, error) {
				sched.Park(waited)
				return n, nil
			})
			tr.goes(0)
			tr.Resize(1) // so that the next one has to look for room
			g := tr.Group(ctx)
			r.Go("adds and waits", func() {
				tr.joins(g, 1)
				if _, err := g.Wait(background); !errors.Is(err, errCause) {
					t.Errorf("got %v", err)
				}
				sched.Signal(waited)
			})
			r.Go("cancels", cancels(cancel))
		},
		"a group that ends while a task comes, to a pool that is paused": func(t testing.TB, r *explore.Run) {
			ctx, cancel := context.WithCancelCause(background)
			tr := try(t, r, 1, quick)
			tr.Resize(0)
			g := tr.Group(ctx)
			r.Go("adds", func() { tr.joins(g, 1) })
			r.Go("cancels", cancels(cancel))
			r.After(func() {
				if s := tr.Stats(); s.Queued != 0 {
					t.Errorf("the group has ended, and %s", brief(s))
				}
				if _, err := g.Wait(background); !errors.Is(err, errCause) {
					t.Errorf("got %v", err)
				}
			})
		},
		"a walk that is left when its source has ended": func(t testing.TB, r *explore.Run) {
			tr := try(t, r, 2, quick)                                   // with one, the window would be full
			r.After(func() { tr.accepted.Store(tr.Stats().Submitted) }) // nobody is told
			r.Go("walks", func() {
				for v, err := range tr.Map(background, slices.Values([]int{0, 1})) {
					tr.is(v, err, 0, nil)
					break
				}
			})
		},
		"one state": func(t testing.TB, r *explore.Run) {
			opened, closed := 0, 0
			tr := newTrial(t, r, 1)
			tr.Pool = pool.NewStateful(1,
				func(context.Context) (*int, error) { opened++; return new(int), nil },
				func(ctx context.Context, _ *int, n int) (int, error) { return tr.watch(quick)(ctx, n) },
				func(s *int) error { *s++; closed += *s; return nil })
			tr.goes(0)
			r.Go("closes", func() {
				tr.Close()
				if opened != 1 || closed != 1 {
					t.Errorf("%d opened, %d closed", opened, closed)
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) { explore.Explore(t, p) })
	}
}

func quick(_ context.Context, n int) (int, error) { return n, nil }

// retired is a pool whose only worker has ended, and which would accept a task
// without a second look.
func retired(t testing.TB, r *explore.Run) *trial {
	tr := try(t, r, 1, quick, pool.WithIdleTimeout(time.Second)).rested(mostTasks - 1)
	time.Sleep(time.Minute)
	return tr
}

// queuedAndCancelled waits for a task behind one that lasts until that is over.
func queuedAndCancelled(wait func(*pool.Future[int])) explore.Program {
	return func(t testing.TB, r *explore.Run) {
		ctx, cancel := context.WithCancelCause(context.Background())
		told := make(chan struct{}, 1)
		tr := try(t, r, 1, func(_ context.Context, n int) (int, error) {
			sched.Park(told)
			return n, nil
		})
		tr.goes(0)
		r.Go("is told", func() {
			f, err := tr.Submit(ctx, 1)
			if tr.took(err) == nil {
				wait(f)
				_, err = f.Wait(context.Background())
			}
			tr.is(0, err, 0, errCause)
			sched.Signal(told)
		})
		r.Go("cancels", cancels(cancel))
	}
}
