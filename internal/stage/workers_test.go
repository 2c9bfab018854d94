package stage_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/internal/spsc"
	"github.com/tandemgo/tandem/internal/stage"
	"github.com/tandemgo/tandem/internal/testkit"
)

// start puts workers between two rings; work returns what is to be put on the
// way, and whether anything is.
func start(ctx context.Context, wg *sync.WaitGroup, in, out *spsc.Ring[int], size int, ordered bool, work func(int) (int, bool)) {
	var c *stage.Workers[int, int]
	worker := func() {
		var j stage.Job[int, int]
		for {
			if ok, _ := c.Next(ctx, &j); !ok {
				return
			}
			j.Result, j.Keep = work(j.Item)
		}
	}
	c = stage.New(in, out, size, ordered, func() { wg.Go(worker) })
	wg.Go(worker)
}

// kinds are rings of every kind that changes how they work.
func kinds() map[string]func() *spsc.Ring[int] {
	return map[string]func() *spsc.Ring[int]{
		"capacity 0": func() *spsc.Ring[int] { return spsc.New[int](0) },
		"capacity 6": func() *spsc.Ring[int] { return spsc.New[int](6) },
		"adaptive":   func() *spsc.Ring[int] { return spsc.Adaptive[int](spsc.Base) },
	}
}

// Every item is worked on once, and its result arrives once, in order if that
// is asked for, however long the work takes and however many results there are
// not.
func TestWorkersConserveItems(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 2_000
	}
	for _, ordered := range []bool{true, false} {
		for size := 1; size <= 8; size += 7 {
			for name, make := range kinds() {
				t.Run(fmt.Sprintf("ordered=%v/%d/%s", ordered, size, name), func(t *testing.T) {
					testkit.Watchdog(t, func() {
						in, out := make(), make()
						worked, arrived := testkit.NewLedger(n), testkit.NewLedger(n)
						var wg sync.WaitGroup
						start(t.Context(), &wg, in, out, size, ordered, func(v int) (int, bool) {
							worked.Note(v)
							switch rand.IntN(100) { // chaos, no order depends on it
							case 0:
								time.Sleep(time.Microsecond)
							case 1, 2, 3, 4, 5, 6, 7, 8, 9:
								runtime.Gosched()
							}
							return v, v%3 != 0
						})
						wg.Go(func() {
							for i := range n {
								_ = in.Push(t.Context(), i)
							}
							in.Close()
						})
						last := -1
						for {
							v, ok, err := out.Pop(t.Context())
							if !ok || err != nil {
								break
							}
							arrived.Note(v)
							if ordered && v <= last {
								t.Errorf("%d behind %d", v, last)
							}
							last = v
						}
						wg.Wait()
						worked.ExactlyOnce(t)
						arrived.AtMostOnce(t)
						if want := n - (n+2)/3; arrived.Total() != want {
							t.Errorf("%d results, want %d", arrived.Total(), want)
						}
					})
				})
			}
		}
	}
}

// While results are not received, no more items are in work or waiting than
// there is room for behind; and in order, those behind a slow one are worked on
// up to that.
func TestWorkersAreBounded(t *testing.T) {
	for _, ordered := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			const room = 10
			in, out := spsc.New[int](0), spsc.New[int](room-1)
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			var begun testkit.Gauge
			head := make(chan struct{})
			start(ctx, &wg, in, out, 4, ordered, func(v int) (int, bool) {
				begun.Enter()
				if v == 0 && ordered {
					<-head
				}
				return v, true
			})
			wg.Go(func() {
				for i := 0; in.Push(ctx, i) == nil; i++ {
				}
			})
			synctest.Wait()
			if begun.Now() != room {
				t.Errorf("ordered=%v: %d items begun with room for %d", ordered, begun.Now(), room)
			}
			close(head)
			for i := range 100 {
				if v, ok, err := out.Pop(ctx); ordered && v != i || !ok || err != nil {
					t.Fatalf("got %d, %v, %v, want %d", v, ok, err, i)
				}
			}
			cancel()
			in.Wake()
			out.Wake()
			wg.Wait()
		})
	}
}

// Nobody sleeps while there is work: each item needs all workers to be at work
// at once.
func TestWorkersAreAllWoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, rounds = 5, 200
		in, out := spsc.Adaptive[int](spsc.Base), spsc.Adaptive[int](spsc.Base)
		var wg sync.WaitGroup
		var at testkit.Gauge
		start(t.Context(), &wg, in, out, size, false, func(v int) (int, bool) {
			at.Enter()
			defer at.Leave()
			time.Sleep(time.Second)
			return v, true
		})
		begin := time.Now()
		for range rounds {
			for i := range size {
				_ = in.Push(t.Context(), i)
			}
			for range size {
				_, _, _ = out.Pop(t.Context())
			}
		}
		in.Close()
		wg.Wait()
		if d := time.Since(begin); d != rounds*time.Second || at.Most() != size {
			t.Errorf("took %v, %d at work at once", d, at.Most())
		}
	})
}

// Everybody leaves with the context.
func TestWorkersLeaveWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out := spsc.New[int](20), spsc.New[int](20)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		gate := make(chan struct{})
		start(ctx, &wg, in, out, 5, true, func(v int) (int, bool) { <-gate; return v, true })
		for i := range 5 {
			in.TryPush(i)
		}
		synctest.Wait() // all of them are at work
		close(gate)
		synctest.Wait() // and now they are parked
		cancel()
		in.Wake()
		out.Wake()
		wg.Wait()
		for i := range 5 {
			if v, ok := out.TryPop(); v != i || !ok {
				t.Errorf("got %d, %v, want %d", v, ok, i)
			}
		}
	})
}

// There are as many workers as there may be, and not one more.
func TestNumberOfWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, items = 3, 20
		in, out := spsc.New[int](items), spsc.New[int](items)
		for i := range items {
			in.TryPush(i)
		}
		in.Close()
		var wg sync.WaitGroup
		var at testkit.Gauge
		start(t.Context(), &wg, in, out, size, false, func(v int) (int, bool) {
			at.Enter()
			defer at.Leave()
			time.Sleep(time.Second)
			return v, true
		})
		wg.Wait()
		if at.Most() != size {
			t.Errorf("%d at work at once, want %d", at.Most(), size)
		}
	})
}
