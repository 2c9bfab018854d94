package pool_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pool"
)

// What is done at once, for the race detector to see, too.

// P7: calls that are refused at once leave nothing behind.
func TestP7RefusedAtOnce(t *testing.T) {
	const callers, each = 4, 100
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errTask)
	p := pool.New(1, double)
	g := p.Group(ctx)
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range each {
				if g.Go(1) {
					t.Error("accepted")
				}
			}
		})
	}
	wg.Wait()
	testkit.Watchdog(t, func() {
		if vs, err := g.Wait(context.Background()); len(vs) != 0 || err != errTask {
			t.Errorf("%d results, %v", len(vs), err)
		}
	})
	must0(p.Close())
}

// P7: the walk over the results of tasks that fail yields the error of each, while
// others fail, and somebody waits for all of them.
func TestP7ResultsOfTasksThatFail(t *testing.T) {
	const tasks = 500
	p := pool.New(2, func(_ context.Context, n int) (int, error) { return 0, fmt.Errorf("%w: %d", errTask, n) })
	g := p.Group(t.Context(), pool.CollectAll())
	for n := range tasks {
		accept(g.Go(n))
	}
	testkit.Watchdog(t, func() {
		var wg sync.WaitGroup
		begun := make(chan struct{}) // a walk that begins after Wait has nothing to yield
		wg.Go(func() {
			<-begun
			if _, err := g.Wait(context.Background()); !errors.Is(err, errTask) {
				t.Errorf("Wait: %v", err)
			}
		})
		wg.Go(func() {
			seen := 0
			for r, err := range g.Results(context.Background()) {
				if seen++; seen == 1 {
					close(begun)
				}
				if want := fmt.Sprintf("task %d: %v: %d", r.Index, errTask, r.Task); err == nil || err.Error() != want || r.Task != r.Index {
					t.Errorf("result %d: %v", r.Index, err)
				}
			}
			if seen != tasks {
				t.Errorf("%d results", seen)
			}
		})
		wg.Wait()
	})
	must0(p.Close())
}

// P3: walks begin while the number of workers changes.
func TestP3WalksMeetResize(t *testing.T) {
	p := pool.New(2, double)
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 100 {
			p.Resize(1 + i%3)
		}
	})
	wg.Go(func() {
		for range 100 {
			n := 0
			for v, err := range p.Map(t.Context(), count(5)) {
				if v != 2*n || err != nil {
					t.Errorf("result %d: %d, %v", n, v, err)
				}
				n++
			}
			if n != 5 {
				t.Errorf("%d results", n)
			}
		}
	})
	testkit.Watchdog(t, wg.Wait)
	must0(p.Close())
}

// Keys come and go at once, from those who submit and from workers.
func TestKeysComeAtOnce(t *testing.T) {
	const callers, each = 4, 100
	p := pool.NewOrdered(2, pool.ByKey(keyOf), func(_ context.Context, k keyed) (int, error) { return k.n, nil })
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for n := range each {
				must0(p.Go(t.Context(), keyed{n, n}))
			}
		})
	}
	testkit.Watchdog(t, wg.Wait)
	must0(p.Close())
	if s := p.Stats(); s.Completed != callers*each {
		t.Errorf("%+v", s)
	}
}

// P8: tasks that run in place find the states of their workers while others begin.
func TestP8InPlaceWhileWorkersBegin(t *testing.T) {
	const workers = 4
	for range 20 {
		var p *pool.Pool[int, int]
		p = pool.NewStateful(workers,
			func(context.Context) (int, error) { return 1, nil },
			func(ctx context.Context, one, n int) (int, error) {
				if n == 0 {
					return one, nil
				}
				v, err := p.Do(ctx, n-1)
				return v + one, err
			},
			func(int) error { return nil })
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				if v, err := p.Do(t.Context(), 3); v != 4 || err != nil {
					t.Errorf("got %d, %v", v, err)
				}
			})
		}
		testkit.Watchdog(t, wg.Wait)
		must0(p.Close())
	}
}

// An askingContext is a context of a user whose methods use the pool.
type askingContext struct {
	context.Context
	ask func()
}

func (c askingContext) Value(key any) any     { c.ask(); return c.Context.Value(key) }
func (c askingContext) Done() <-chan struct{} { c.ask(); return c.Context.Done() }
func (c askingContext) Err() error            { c.ask(); return c.Context.Err() }

// C3: no method of a context is called under a lock.
func TestC3MethodsInsideAContext(t *testing.T) {
	p := pool.New(1, double, pool.WithQueue(1))
	ctx := askingContext{t.Context(), func() { checkSum(t, p.Stats()) }}
	testkit.Watchdog(t, func() {
		for name, way := range ways {
			for range 3 {
				if err := way(ctx, p); err != nil && err != pool.ErrQueueFull {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		must0(p.Close())
	})
}
