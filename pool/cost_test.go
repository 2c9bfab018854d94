package pool_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pool"
)

// Go and TryGo do not allocate, Submit does so once, and so does the worker for its
// task; a group does so once for many tasks. The pool is saturated, so that nothing is started meanwhile.
func TestAllocations(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector allocates")
	}
	const n = 20_000
	ctx := t.Context()
	for name, c := range map[string]struct {
		most float64 // a task
		run  func(p *pool.Pool[int, int])
	}{
		"Go":     {0.001, func(p *pool.Pool[int, int]) { must0(p.Go(ctx, 1)) }},
		"TryGo":  {0.001, func(p *pool.Pool[int, int]) { must0(p.TryGo(ctx, 1)) }},
		"Submit": {2.01, func(p *pool.Pool[int, int]) { must(p.Submit(ctx, 1)) }},
	} {
		p := pool.New(2, double, pool.WithQueue(2*n))
		for range n {
			c.run(p)
		}
		if got := testing.AllocsPerRun(n, func() { c.run(p) }); got > c.most {
			t.Errorf("%s: %v allocations, want %v", name, got, c.most)
		}
		p.Close()
	}
	p := pool.New(2, double)
	defer p.Close()
	got := testing.AllocsPerRun(5, func() {
		g := p.Group(ctx)
		for i := range n {
			accept(g.Go(i))
		}
		must(g.Wait(context.Background()))
	})
	if got > n/100 {
		t.Errorf("Group: %v allocations for %d tasks, want one for 100 at most", got, n)
	}
}

// A wide is a task that is larger than what a queue keeps of each task itself.
type wide [64]byte

// A queue that fills again and again takes its memory once, whatever the size of
// its tasks.
func TestAQueueIsUsedAgain(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector uses memory of its own")
	}
	const length, rounds = 1024, 50
	gate := make(chan struct{})
	p := pool.New(1, func(_ context.Context, task wide) (int, error) {
		if task[0] == 1 {
			gate <- struct{}{}
			<-gate
		}
		return 0, nil
	}, pool.WithQueue(length))
	fill := func() {
		must0(p.Go(t.Context(), wide{1}))
		<-gate // the worker is at it
		for range length {
			must0(p.Go(t.Context(), wide{}))
		}
		gate <- struct{}{}
	}
	fill()
	fill()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rounds {
		fill()
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > rounds*length*uint64(len(wide{}))/4 {
		t.Errorf("%d bytes for %d tasks of %d", got, rounds*length, len(wide{}))
	}
	must0(p.Close())
}

// A waiting task costs its own size and 32 bytes at the most, and that is given
// back after the burst.
func TestMemoryOfWaitingTasks(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector uses memory of its own")
	}
	const n = 200_000
	gate := make(chan struct{})
	p := pool.New(1, func(_ context.Context, task wide) (int, error) {
		if task[0] == 1 {
			<-gate
		}
		return 0, nil
	}, pool.WithQueue(n))
	before := testkit.Heap()
	must0(p.Go(t.Context(), wide{1}))
	for range n - 1 {
		must0(p.Go(t.Context(), wide{}))
	}
	waiting := float64(testkit.Heap()-before) / n
	if waiting > float64(len(wide{})+32) {
		t.Errorf("a waiting task of %d bytes takes %.1f", len(wide{}), waiting)
	}
	close(gate)
	p.Close()
	if after := float64(testkit.Heap()-before) / n; after > 0.5 {
		t.Errorf("after the burst %.1f bytes a task are left", after)
	}
	runtime.KeepAlive(p)
}

// Tasks that leave the middle of the queue give their memory back, though the
// worker never comes to their places.
func TestMemoryOfCancelledTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		ran := 0
		p := pool.New(1, func(context.Context, int) (int, error) { <-gate; ran++; return 0, nil })
		must0(p.Go(t.Context(), 0))
		synctest.Wait()
		g := p.Group(t.Context())
		for i := range 10 {
			accept(g.Go(i))
			for range 100 {
				must(p.Submit(t.Context(), i)).Cancel(nil)
			}
		}
		s := p.Stats()
		checkSum(t, s)
		if s.Queued != 10 {
			t.Errorf("%d tasks queued, want 10", s.Queued)
		}
		close(gate)
		vs, err := g.Wait(context.Background())
		if len(vs) != 10 || err != nil {
			t.Errorf("%d results, %v", len(vs), err)
		}
		p.Close()
		if ran != 11 {
			t.Errorf("%d tasks ran, want 11", ran)
		}
	})
}

// Times are recorded for every task while they are slow, and for a sample that
// stands for all when they are quick.
func TestStatsTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool.New(1, func(_ context.Context, ms int) (int, error) {
			time.Sleep(time.Duration(ms) * time.Millisecond)
			return 0, nil
		})
		for i := range 100 {
			ms := 10
			if i%10 == 0 {
				ms = 1000
			}
			must0(p.Go(t.Context(), ms))
			time.Sleep(2 * time.Second)
		}
		s := p.Stats()
		if s.RunTime.Count() != 100 || s.QueueWait.Count() != 100 {
			t.Errorf("%d and %d times, want 100", s.RunTime.Count(), s.QueueWait.Count())
		}
		within := func(what string, got, want time.Duration) {
			t.Helper()
			if got < want || got > want+want/4 {
				t.Errorf("%s: %v, want %v or up to a quarter more", what, got, want)
			}
		}
		within("median", s.RunTime.Quantile(0.5), 10*time.Millisecond)
		within("p99", s.RunTime.Quantile(0.99), time.Second)
		if sum := s.RunTime.Sum(); sum != 10*time.Second+90*10*time.Millisecond {
			t.Errorf("they ran for %v in all", sum)
		}
		if w := s.QueueWait.Quantile(1); w > 64 {
			t.Errorf("waited %v, want nothing", w)
		}
		must0(p.Go(t.Context(), 60_000))
		must0(p.Go(t.Context(), 0))
		p.Close()
		within("the one that waited", p.Stats().QueueWait.Quantile(1), time.Minute)
	})
	// A queue that is long is sampled, too.
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		p := pool.New(1, func(context.Context, int) (int, error) { <-gate; return 0, nil })
		const n = 500
		for range n {
			must0(p.Go(t.Context(), 1))
			time.Sleep(10 * time.Microsecond) // too slow to be sampled less often
		}
		close(gate)
		synctest.Wait()
		must0(p.Go(t.Context(), 1))
		p.Close()
		if c := p.Stats().RunTime.Count(); c != n+1 {
			t.Errorf("the sample of %d tasks stands for %d", n+1, c)
		}
	})
	p := pool.New(2, double)
	const n = 200_000
	for range n {
		must0(p.Go(t.Context(), 1))
	}
	p.Close()
	if c := p.Stats().RunTime.Count(); c == 0 || c > n+n/10 {
		t.Errorf("the sample of %d quick tasks stands for %d", n, c)
	}
	if z := (pool.Histogram{}); z.Quantile(0.5) != 0 || z.Count() != 0 || z.Sum() != 0 || z.String() != "0: p50 0s, p99 0s, max 0s" {
		t.Errorf("the zero Histogram is not empty: %v", z)
	}
}

// C13: Stats can be logged as they are.
func TestC13StatsPrintTheirTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool.New(1, func(context.Context, int) (int, error) { time.Sleep(time.Second); return 0, nil })
		must(p.Do(t.Context(), 1))
		must0(p.Close())
		if got := fmt.Sprintf("%+v", p.Stats()); got != "0 of 1 workers, 0 queued, 0 running, 0 waiting, 0 blocked; 1 submitted, 1 completed, 0 failed, 0 cancelled;"+
			" wait 1: p50 64ns, p99 64ns, max 64ns; run 1: p50 1.073741824s, p99 1.073741824s, max 1.073741824s" {
			t.Error(got)
		}
	})
}

// P1, FP4: Stop hands back each task that never started, also if a worker had taken
// it already: every id runs or comes back, once.
func TestP1StopLosesNothing(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 50
	}
	for range rounds {
		const n = 300
		ledger := testkit.NewLedger(n)
		p := pool.New(1+rand.IntN(4), func(_ context.Context, id int) (int, error) { ledger.Note(id); return 0, nil })
		accepted := n
		testkit.Watchdog(t, func() {
			var wg sync.WaitGroup
			wg.Go(func() {
				for id := range n {
					if err := p.Go(t.Context(), id); errors.Is(err, pool.ErrClosed) {
						accepted = id
						break
					}
				}
			})
			for range rand.IntN(200) {
				runtime.Gosched()
			}
			back := stop(p)
			wg.Wait()
			for i, id := range back {
				ledger.Note(id)
				if i > 0 && back[i-1] >= id {
					t.Errorf("handed back out of order: %d after %d", id, back[i-1])
				}
			}
		})
		for id := range n {
			if want := min(1, max(0, accepted-id)); ledger.Seen(id) != want {
				t.Fatalf("task %d of %d accepted was seen %d times", id, accepted, ledger.Seen(id))
			}
		}
	}
}

// P4: what a worker has taken and not started is taken from it when others have
// come for more several times, though the queue is never empty.
func TestP4BatchBehindASlowTask(t *testing.T) {
	gate := make(chan struct{})
	var mu sync.Mutex
	stuck := map[int]bool{}
	held := false
	p := pool.New(2, func(_ context.Context, id int) (int, error) {
		mu.Lock()
		first := id == 100 && !held
		held = held || first
		delete(stuck, id)
		mu.Unlock()
		if first {
			<-gate
		}
		return 0, nil
	})
	testkit.Watchdog(t, func() {
		for id := range 100_000 {
			if id > 100 && id < 200 {
				mu.Lock()
				stuck[id] = true
				mu.Unlock()
			}
			must0(p.Go(t.Context(), id))
		}
		mu.Lock()
		n := len(stuck)
		mu.Unlock()
		if n != 0 {
			t.Errorf("%d tasks are stuck behind a slow one after many later ones have run", n)
		}
		close(gate)
		p.Close()
	})
}
