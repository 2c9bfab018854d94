package pool_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/pool"
)

// C2, P5: who waits inside a task under a context that has ended does not wait, and
// does not run the task in place either.
func TestC2NoTaskInPlaceUnderAnEndedContext(t *testing.T) {
	cause := errors.New("enough")
	var ran []int
	var p *pool.Pool[int, int]
	p = pool.New(1, func(ctx context.Context, n int) (int, error) {
		if n == 0 {
			ended, cancel := context.WithCancelCause(ctx)
			cancel(cause)
			f := must(p.Submit(ctx, 1))
			if _, err := f.Wait(ended); err != cause {
				t.Errorf("got %v, want %v", err, cause)
			}
		}
		ran = append(ran, n) // at the end
		return n, nil
	})
	must(p.Do(t.Context(), 0))
	must0(p.Close())
	if !slices.Equal(ran, []int{0, 1}) {
		t.Errorf("tasks ended in the order %v", ran)
	}
}

// P5: who waits inside a task for one of a key, before which there is a cancelled
// one in the queue, runs it in place, and the cancelled one does not run.
func TestP5InPlaceBehindACancelledTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran []int
		var p *pool.Pool[keyed, int]
		p = pool.NewOrdered(1, pool.ByKey(keyOf), func(ctx context.Context, k keyed) (int, error) {
			ran = append(ran, k.n)
			if k.n == 0 {
				cancelled := must(p.Submit(ctx, keyed{2, 1}))
				f := must(p.Submit(ctx, keyed{2, 2}))
				cancelled.Cancel(errTask)
				if v, err := f.Wait(ctx); v != 2 || err != nil {
					t.Errorf("got %d, %v, want 2", v, err)
				}
				if v, err := cancelled.Wait(ctx); v != 0 || !errors.Is(err, errTask) || !errors.Is(err, pool.ErrNotStarted) {
					t.Errorf("got %d, %v, want %v", v, err, errTask)
				}
			}
			return k.n, nil
		})
		must(p.Do(t.Context(), keyed{1, 0}))
		must(p.Do(t.Context(), keyed{2, 3}))
		must0(p.Close())
		if !slices.Equal(ran, []int{0, 2, 3}) {
			t.Errorf("tasks ran in the order %v", ran)
		}
		s := p.Stats()
		if checkSum(t, s); s.Completed != 3 || s.Cancelled != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// P1, P6: a task of a group that is accepted as the context of the group ends, after
// those in the queue were dropped, is dropped as well, though no worker is free.
func TestP6AcceptedAsTheGroupEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		gate := make(chan struct{})
		p := pool.NewOrdered(1, pool.ByKey(func(k keyed) int {
			if k.n == 1 { // the task is on the way
				cancel(cause)
				synctest.Wait()
			}
			return k.key
		}), func(context.Context, keyed) (int, error) { <-gate; return 0, nil })
		must0(p.Go(t.Context(), keyed{1, 0}))
		synctest.Wait()
		g := p.Group(ctx)
		accept(g.Go(keyed{2, 1}))
		over := false
		go func() {
			if vs, err := g.Wait(context.Background()); len(vs) != 1 || !errors.Is(err, cause) {
				t.Errorf("Wait: %v, %v", vs, err)
			}
			over = true
		}()
		synctest.Wait()
		if !over {
			t.Error("the group waits for a worker")
		}
		close(gate)
		must0(p.Close())
		checkSum(t, p.Stats())
	})
}

// P6, P5: one whose context has ended is not run in place, though it comes before the
// one that is waited for.
func TestP6InPlaceBehindAnEndedContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran []int
		var p *pool.Pool[keyed, int]
		p = pool.NewOrdered(1, pool.ByKey(keyOf), func(ctx context.Context, k keyed) (int, error) {
			ran = append(ran, k.n)
			if k.n == 0 {
				short, cancel := context.WithCancel(t.Context())
				must0(p.Go(short, keyed{2, 1}))
				cancel()
				must(p.Do(ctx, keyed{2, 2}))
			}
			return k.n, nil
		})
		must(p.Do(t.Context(), keyed{1, 0}))
		if err := p.Close(); !errors.Is(err, context.Canceled) || !errors.Is(err, pool.ErrNotStarted) {
			t.Errorf("Close: %v", err)
		}
		s := p.Stats()
		if checkSum(t, s); !slices.Equal(ran, []int{0, 2}) || s.Cancelled != 1 {
			t.Errorf("tasks ran in the order %v, %d cancelled", ran, s.Cancelled)
		}
	})
}

// P5: two tasks wait for two of one key, of which another one is running, and no
// other worker will ever be free: they run them when that one has ended.
func TestP5InPlaceBehindABusyKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate, done := make(chan struct{}), make(chan struct{})
		var waiting sync.WaitGroup
		waiting.Add(2)
		var p *pool.Pool[keyed, int]
		order := pool.ByKey(keyOf).Priority(time.Hour, func(k keyed) int { return k.key / 4 })
		p = pool.NewOrdered(3, order, func(ctx context.Context, k keyed) (int, error) {
			switch k.key {
			case 1:
				if k.n == 0 {
					<-gate
				}
			case 2, 3: // what waits
				defer waiting.Done()
				return p.Do(ctx, keyed{1, k.key})
			default: // what takes the workers
				<-done
			}
			return k.n, nil
		})
		for key := range 3 {
			must0(p.Go(t.Context(), keyed{1 + key, 0}))
		}
		synctest.Wait()
		for key := range 3 {
			must0(p.Go(t.Context(), keyed{4 + key, 0}))
		}
		close(gate)
		waiting.Wait()
		close(done)
		must0(p.Close())
		if s := p.Stats(); s.Completed != 8 {
			t.Errorf("%+v", s)
		}
	})
}

// P8: a task that would run in place fails if no state can be opened for it.
func TestP8InPlaceWithoutAState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened := 0
		var p *pool.Pool[int, int]
		p = pool.NewStateful(1, func(context.Context) (int, error) {
			if opened++; opened > 1 {
				return 0, errTask
			}
			return 0, nil
		}, func(ctx context.Context, _, n int) (int, error) {
			if n == 0 {
				var wg sync.WaitGroup
				wg.Go(func() { // which has no state
					if _, err := p.Do(ctx, 1); !errors.Is(err, errTask) {
						t.Errorf("got %v", err)
					}
				})
				wg.Wait()
			}
			return n, nil
		}, func(int) error { return nil })
		must(p.Do(t.Context(), 0))
		must0(p.Close())
		s := p.Stats()
		if checkSum(t, s); s.Completed != 1 || s.Failed != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// P7: without errors of tasks, the error of a CollectAll group is the cause itself.
func TestP7CollectAllOfTasksWithoutErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		p := pool.New(1, func(ctx context.Context, _ int) (int, error) { <-ctx.Done(); return 0, context.Cause(ctx) })
		g := p.Group(ctx, pool.CollectAll())
		accept(g.Go(1))
		accept(g.Go(2))
		synctest.Wait()
		cancel(cause)
		if _, err := g.Wait(context.Background()); !errors.Is(err, cause) || strings.Count(err.Error(), cause.Error()) != 1 {
			t.Errorf("got %#v, want %v once", err, cause)
		}
		must0(p.Close())
	})
}

// C2: a task that runs in place leaves its room in the queue to a submitter that waits for it.
func TestC2InPlaceMakesRoom(t *testing.T) {
	for shape, order := range orders {
		synctest.Test(t, func(t *testing.T) {
			queued, waits, accepted := make(chan struct{}), make(chan struct{}), make(chan struct{})
			var p *pool.Pool[int, int]
			p = build(1, order, func(ctx context.Context, n int) (int, error) {
				switch n {
				case 1:
					f := must(p.Submit(ctx, 2))
					close(queued)
					<-waits
					must(f.Wait(ctx))
				case 2:
					<-accepted
				}
				return n, nil
			}, pool.WithQueue(1))
			must0(p.Go(t.Context(), 1))
			<-queued
			go func() {
				must0(p.Go(context.Background(), 3))
				close(accepted)
			}()
			synctest.Wait()
			if s := p.Stats(); s.Blocked != 1 {
				t.Errorf("%s: %v", shape, s)
			}
			close(waits)
			must0(p.Wait(t.Context()))
			must0(p.Close())
		})
	}
}
