package pool_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/pool"
)

// P7: a group that has been waited for accepts nothing, also in a pool in which a
// task has to find its place first.
func TestP7GroupIsClosed(t *testing.T) {
	byKey := pool.ByKey(keyOf)
	for name, order := range map[string]*pool.Order[keyed]{"plain": nil, "keys": &byKey} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := build(1, order, func(_ context.Context, k keyed) (int, error) { return k.n, nil })
				g := p.Group(t.Context())
				accept(g.Go(keyed{1, 1}))
				must(g.Wait(context.Background()))
				for range 2 {
					if g.Go(keyed{1, 2}) {
						t.Error("accepted")
					}
				}
				if vs := must(g.Wait(context.Background())); !slices.Equal(vs, []int{1}) {
					t.Errorf("got %v", vs)
				}
				must0(p.Close())
				if s := p.Stats(); s.Submitted != 1 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// P7: the error of a group whose context ends while a task is queued says that it did not start.
func TestP7TasksOfAnEndedGroupDidNotStart(t *testing.T) {
	for _, opt := range []pool.GroupOption{pool.FailFast(), pool.CollectAll()} {
		ctx, cancel := context.WithCancelCause(t.Context())
		p := pool.New(1, func(_ context.Context, n int) (int, error) { return n, nil })
		p.Resize(0)
		g := p.Group(ctx, opt)
		accept(g.Go(0))
		cancel(errRoot)
		if _, err := g.Wait(context.Background()); !errors.Is(err, errRoot) || !errors.Is(err, pool.ErrNotStarted) {
			t.Errorf("got %v", err)
		}
		must0(p.Close())
	}
}

// P7: a task that is on its way when its group is waited for is one of the group and waited for, too,
// or refused.
func TestP7WaitMeetsATaskOnTheWay(t *testing.T) {
	var g *pool.Group[keyed, int]
	waited := make(chan []int, 1)
	p := pool.NewOrdered(1, pool.ByKey(func(k keyed) int {
		if k.n == 2 {
			go func() { waited <- must(g.Wait(context.Background())) }()
			runtime.Gosched()
		}
		return k.key
	}), func(_ context.Context, k keyed) (int, error) { return k.n, nil })
	g = p.Group(t.Context())
	accept(g.Go(keyed{1, 1}))
	want := []int{1}
	if g.Go(keyed{1, 2}) {
		want = []int{1, 2}
	}
	if vs := <-waited; !slices.Equal(vs, want) {
		t.Errorf("got %v, want %v", vs, want)
	}
	must0(p.Close())
}

// P4: the room that a task leaves is given away at once, though its worker has taken
// others with it.
func TestP4RoomIsGivenAwayAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const queue = 15
		p := pool.New(1, func(context.Context, int) (int, error) { time.Sleep(time.Second); return 0, nil }, pool.WithQueue(queue))
		start := time.Now()
		for n := range 3 * queue {
			must0(p.Go(t.Context(), n))
			if took, want := time.Since(start), time.Duration(max(0, n-queue))*time.Second; took != want {
				t.Errorf("task %d was accepted after %v, want %v", n, took, want)
			}
		}
		must0(p.Close())
	})
}

// C7: those who wait for one group are asleep while its tasks run.
func TestC7WaitersOfAGroupAreAsleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool.New(2, func(_ context.Context, n int) (int, error) {
			time.Sleep(time.Duration(n) * time.Second)
			return n, nil
		})
		g := p.Group(t.Context())
		accept(g.Go(1))
		accept(g.Go(3))
		start := time.Now()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if vs := must(g.Wait(context.Background())); !slices.Equal(vs, []int{1, 3}) || time.Since(start) != 3*time.Second {
					t.Errorf("got %v after %v", vs, time.Since(start))
				}
			})
		}
		wg.Wait()
		must0(p.Close())
	})
}

// C2: a walk whose context ends as a task is accepted asks its source for no other.
func TestC2WalkAsksForNoMore(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	p := pool.NewOrdered(1, pool.ByKey(func(k keyed) int {
		cancel(errTask) // the task is on the way
		return k.key
	}), func(_ context.Context, k keyed) (int, error) { return k.n, nil })
	asked := 0
	var last error
	for _, last = range p.Map(ctx, func(yield func(keyed) bool) {
		for {
			if asked++; !yield(keyed{1, asked}) {
				return
			}
		}
	}) {
	}
	if last != errTask || asked != 1 {
		t.Errorf("the source was asked %d times; %v", asked, last)
	}
	must0(p.Close())
}

// P1: the places of tasks that were cancelled are removed from the queue while others
// submit, and of these none is lost.
func TestP1CancelledWhileOthersSubmit(t *testing.T) {
	const each = 200 // more than are left in the queue
	gate := make(chan struct{})
	p := pool.New(1, func(context.Context, int) (int, error) { <-gate; return 0, nil }, pool.WithQueue(4*each))
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			var fs []*pool.Future[int]
			for n := range each {
				fs = append(fs, must(p.Submit(t.Context(), n)))
			}
			for _, f := range fs {
				f.Cancel(nil)
			}
		})
		wg.Go(func() {
			for n := range each {
				must0(p.Go(t.Context(), n))
			}
		})
	}
	wg.Wait()
	close(gate)
	must0(p.Close())
	s := p.Stats()
	if checkSum(t, s); s.Completed+s.Cancelled != 4*each || s.Completed < 2*each || s.Cancelled+1 < 2*each {
		t.Errorf("%d completed, %d cancelled of %d each", s.Completed, s.Cancelled, 2*each)
	}
}
