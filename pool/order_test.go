package pool_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pool"
)

type keyed struct{ key, n int }

func keyOf(k keyed) int { return k.key }

// Tasks of one key run one after another in the order of submission, with
// panics, cancels and nested waits among them; other keys go on meanwhile.
func TestKeysRunOneAfterAnother(t *testing.T) {
	const keys, each, workers = 7, 60, 4
	var now testkit.Gauge
	var running [keys]testkit.Gauge
	var seen [keys][]int
	var p *pool.Pool[keyed, int]
	p = pool.NewOrdered(workers, pool.ByKey(keyOf), func(ctx context.Context, k keyed) (int, error) {
		if k.n < 0 { // nested
			return 0, nil
		}
		now.Enter()
		defer now.Leave()
		if running[k.key].Enter() != 1 {
			t.Errorf("two tasks of key %d run at once", k.key)
		}
		defer running[k.key].Leave()
		seen[k.key] = append(seen[k.key], k.n) // a race if the law does not hold
		switch k.n % 5 {
		case 1:
			panic(k.n)
		case 2:
			if _, err := p.Do(ctx, keyed{k.key, -1}); err != nil {
				t.Errorf("nested: %v", err)
			}
		case 3:
			if _, err := p.Do(ctx, keyed{keys + k.key, -1}); err != nil { // nobody else's
				t.Errorf("nested: %v", err)
			}
		}
		return k.n, nil
	}, pool.WithQueue(64), ignoreErrors())
	want := make([][]int, keys)
	testkit.Watchdog(t, func() {
		ctx, cancel := context.WithCancel(t.Context())
		g := p.Group(t.Context(), pool.CollectAll())
		for n := range each {
			for key := range keys {
				if n%10 == 9 { // cancelled before it can start, or not
					f := must(p.Submit(ctx, keyed{keys * 3, -1}))
					f.Cancel(nil)
				}
				want[key] = append(want[key], n)
				if n%2 == 0 {
					accept(g.Go(keyed{key, n}))
				} else {
					must0(p.Go(t.Context(), keyed{key, n}))
				}
			}
		}
		cancel()
		_, _ = g.Wait(context.Background())
		p.Close()
	})
	if now.Most() > workers {
		t.Errorf("%d tasks ran at once, want %d at most", now.Most(), workers)
	}
	if diff := cmp.Diff(want, seen[:]); diff != "" {
		t.Errorf("order by key (-want +got):\n%s", diff)
	}
	checkSum(t, p.Stats())
}

// A task that is held back by its key holds up nobody else, and the next one of
// the key is not held up for longer.
func TestKeysLeaveOthersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		p := pool.NewOrdered(4, pool.ByKey(keyOf), func(_ context.Context, k keyed) (int, error) {
			if k.n == 0 {
				<-gate
			}
			return k.n, nil
		})
		for n := range 3 {
			must0(p.Go(t.Context(), keyed{1, n}))
		}
		for n := range 50 {
			must0(p.Go(t.Context(), keyed{2 + n, 1}))
		}
		synctest.Wait()
		if s := p.Stats(); s.Running != 1 || s.Queued != 2 || s.Completed != 50 {
			t.Errorf("with one key held: %+v", counts(s))
		}
		close(gate)
		synctest.Wait()
		if s := p.Stats(); s.Completed != 53 {
			t.Errorf("afterwards: %+v", counts(s))
		}
		p.Close()
	})
}

// P5: with one worker, a task may wait for tasks of other keys that stand behind
// others, for its own key, and on goroutines of its own.
func TestP5NestedWaitsWithKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []int
		var p *pool.Pool[keyed, int]
		p = pool.NewOrdered(1, pool.ByKey(keyOf), func(ctx context.Context, k keyed) (int, error) {
			order = append(order, k.n)
			if k.n != 0 {
				return 0, nil
			}
			must0(p.Go(ctx, keyed{2, 10}))
			must0(p.Go(ctx, keyed{2, 11}))
			must(p.Do(ctx, keyed{2, 12})) // behind two others
			must(p.Do(ctx, keyed{1, 13})) // its own key
			g := p.Group(ctx)
			for n := range 4 {
				accept(g.Go(keyed{3 + n%2, 20 + n}))
			}
			must(g.Wait(ctx))
			for _, err := range p.Map(ctx, slices.Values([]keyed{{5, 30}, {5, 31}, {1, 32}})) {
				must0(err)
			}
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() { must(p.Do(ctx, keyed{6, 40})) })
			}
			wg.Wait()
			return 0, nil
		})
		must(p.Do(t.Context(), keyed{1, 0}))
		p.Close()
		want := []int{0, 10, 11, 12, 13, 20, 21, 22, 23, 30, 31, 32, 40, 40, 40}
		if diff := cmp.Diff(want, order); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		s := p.Stats()
		checkSum(t, s)
		if s.Completed != uint64(len(want)) {
			t.Errorf("completed %d, want %d", s.Completed, len(want))
		}
	})
}

// A higher priority goes first, but not for ever: what has waited long enough
// goes before it.
func TestPrioritiesAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var order []int
		p := pool.NewOrdered(1, pool.ByPriority(time.Second, func(n int) int { return n / 100 }), func(_ context.Context, n int) (int, error) {
			if n == 0 {
				<-gate
				return 0, nil
			}
			order = append(order, n)
			return 0, nil
		})
		must0(p.Go(t.Context(), 0))
		synctest.Wait()
		for _, n := range []int{1, 101, 2, 301, 102, -100} {
			must0(p.Go(t.Context(), n))
		}
		time.Sleep(1500 * time.Millisecond)
		for _, n := range []int{3, 103, 302} {
			// 103 comes 1.5 s after 1 and 2, and its step is worth 1 s.
			must0(p.Go(t.Context(), n))
		}
		close(gate)
		p.Close()
		if diff := cmp.Diff([]int{301, 302, 101, 102, 1, 2, 103, -100, 3}, order); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
	})
}

// Extreme priorities do not overflow.
func TestPrioritiesDoNotOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var order []int
		p := pool.NewOrdered(1, pool.ByPriority(math.MaxInt64, func(n int) int { return n }), func(_ context.Context, n int) (int, error) {
			if n == 1 {
				<-gate
			}
			order = append(order, n)
			return 0, nil
		})
		must0(p.Go(t.Context(), 1))
		synctest.Wait()
		for _, n := range []int{0, math.MinInt, math.MaxInt} {
			must0(p.Go(t.Context(), n))
		}
		close(gate)
		p.Close()
		if diff := cmp.Diff([]int{1, math.MaxInt, 0, math.MinInt}, order); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
	})
}

// Stop hands back what stands behind others of its key, in the order of
// submission, and futures of such tasks resolve.
func TestStopWithKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool.NewOrdered(1, pool.ByKey(keyOf).Priority(time.Hour, func(k keyed) int { return k.n }),
			func(ctx context.Context, k keyed) (int, error) { <-ctx.Done(); return 0, nil })
		must0(p.Go(t.Context(), keyed{1, 0}))
		synctest.Wait()
		var want []keyed
		for n := range 6 {
			want = append(want, keyed{n % 3, n})
			must0(p.Go(t.Context(), want[n]))
		}
		f := must(p.Submit(t.Context(), keyed{1, 9}))
		want = append(want, keyed{1, 9})
		if diff := cmp.Diff(want, stop(p), cmp.AllowUnexported(keyed{})); diff != "" {
			t.Errorf("handed back (-want +got):\n%s", diff)
		}
		if _, err := f.Wait(t.Context()); !errors.Is(err, pool.ErrClosed) || !errors.Is(err, pool.ErrNotStarted) {
			t.Errorf("the future: %v", err)
		}
		checkSum(t, p.Stats())
	})
}

// C5: a nil function, an ageing that is not positive and the zero Order are misuse.
func TestC5OrderMisusePanics(t *testing.T) {
	testkit.Panics(t, map[string]func(){
		"pool: NewOrdered: order must be made by ByKey or ByPriority, got the zero value": func() {
			pool.NewOrdered(1, pool.Order[int]{}, double)
		},
		"pool: NewOrdered: function must not be nil": func() {
			pool.NewOrdered[int, int](1, pool.ByPriority(1, func(int) int { return 0 }), nil)
		},
		"pool: NewOrdered: workers must be at least 1, got 0": func() {
			pool.NewOrdered(0, pool.ByPriority(1, func(int) int { return 0 }), double)
		},
		"pool: ByKey: function must not be nil":             func() { pool.ByKey[int, int](nil) },
		"pool: ByPriority: function must not be nil":        func() { pool.ByPriority[int](time.Second, nil) },
		"pool: ByPriority: ageing must be positive, got 0s": func() { pool.ByPriority(0, func(int) int { return 0 }) },
		"pool: Order.Priority: function must not be nil": func() {
			pool.ByKey(func(int) int { return 0 }).Priority(time.Second, nil)
		},
		"pool: Order.Priority: ageing must be positive, got -1ns": func() {
			pool.ByKey(func(int) int { return 0 }).Priority(-1, func(int) int { return 0 })
		},
	})
}

// C4: a panic of the key function is one of the call that submits, and costs
// nothing.
func TestC4PanicOfTheKeyFunction(t *testing.T) {
	p := pool.NewOrdered(1, pool.ByKey(func(n int) any { return []any{n, []int{n}}[n] }), double)
	defer p.Close()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a key that cannot be compared did not panic")
			}
		}()
		_ = p.Go(t.Context(), 1)
	}()
	if v, err := p.Do(t.Context(), 0); v != 0 || err != nil {
		t.Errorf("afterwards: %d, %v", v, err)
	}
	checkSum(t, p.Stats())
}

// C4: a group of which the key of a task panics does not wait for that task.
func TestC4PanicOfTheKeyOfATaskOfAGroup(t *testing.T) {
	for _, opts := range [][]pool.GroupOption{nil, {pool.CollectAll()}} {
		var p *pool.Pool[int, int]
		var g *pool.Group[int, int]
		p = pool.NewOrdered(1, pool.ByKey(func(n int) int {
			switch n {
			case 1:
				g.Go(3) // so that it is not the last one
				panic("no key")
			case 2:
				runtime.Goexit()
			}
			return n
		}), double)
		for n := range 3 {
			g = p.Group(t.Context(), opts...)
			g.Go(0)
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer func() { _ = recover() }()
				g.Go(n)
			}()
			<-done
			_, err := g.Wait(t.Context())
			if failed := err != nil; failed != (n > 0) || failed && !strings.Contains(err.Error(), "pool: the key or the priority of a task panicked") {
				t.Errorf("%d: %v", n, err)
			}
		}
		must0(p.Close())
		checkSum(t, p.Stats())
	}
}

// counts leaves out what is too long to print.
func counts(s pool.Stats) pool.Stats {
	s.QueueWait, s.RunTime = pool.Histogram{}, pool.Histogram{}
	return s
}

// P5: a task waits for another one of its key, after a task without a key ran on the worker that
// was submitted under the same context.
func TestP5KeyAfterNoKey(t *testing.T) {
	key := func(k keyed) float64 {
		if k.key < 0 {
			return math.NaN()
		}
		return float64(k.key)
	}
	synctest.Test(t, func(t *testing.T) {
		var ran []int
		var p *pool.Pool[keyed, int]
		p = pool.NewOrdered(1, pool.ByKey(key), func(ctx context.Context, k keyed) (int, error) {
			ran = append(ran, k.n)
			if k.n == 1 {
				return p.Do(ctx, keyed{1, 2})
			}
			return 0, nil
		})
		for n := range 2 {
			must0(p.Go(context.Background(), keyed{n*2 - 1, n}))
		}
		must0(p.Wait(t.Context()))
		must0(p.Close())
		if want := []int{0, 1, 2}; !slices.Equal(ran, want) {
			t.Errorf("ran %v, want %v", ran, want)
		}
	})
}
