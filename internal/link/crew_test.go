package link_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/internal/link"
	"github.com/tandemgo/tandem/internal/testkit"
)

// start puts a crew between two links; work returns what is to be put on the
// way, and whether anything is.
func start(ctx context.Context, wg *sync.WaitGroup, in, out *link.Link[int], size int, ordered bool, work func(int) (int, bool)) *link.Crew[int, int] {
	var c *link.Crew[int, int]
	worker := func() {
		var j link.Job[int, int]
		for {
			if ok, _ := c.Turn(ctx, &j); !ok {
				return
			}
			j.Result, j.Keep = work(j.Item)
		}
	}
	c = link.NewCrew(in, out, size, ordered, func() { wg.Go(worker) })
	wg.Go(worker)
	return c
}

// Every item is worked on once, and its result arrives once, in order if that
// is asked for, however long the work takes and however many results there are
// not.
func TestCrewConservesItems(t *testing.T) {
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
						c := start(t.Context(), &wg, in, out, size, ordered, func(v int) (int, bool) {
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
								_ = in.Send(t.Context(), i)
							}
							in.Close()
						})
						last := -1
						for {
							v, ok, err := out.Receive(t.Context())
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
						claimed := c.Claimed()
						if want := n - (n+2)/3; arrived.Total() != want || claimed != uint64(n) || c.Claimed() != claimed {
							t.Errorf("%d results, want %d; %d claimed", arrived.Total(), want, claimed)
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
func TestCrewIsBounded(t *testing.T) {
	for _, ordered := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			const room = 10
			in, out := link.New[int](0), link.New[int](room-1)
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
				for i := 0; in.Send(ctx, i) == nil; i++ {
				}
			})
			synctest.Wait()
			if begun.Now() != room {
				t.Errorf("ordered=%v: %d items begun with room for %d", ordered, begun.Now(), room)
			}
			close(head)
			for i := range 100 {
				if v, ok, err := out.Receive(ctx); ordered && v != i || !ok || err != nil {
					t.Fatalf("got %d, %v, %v, want %d", v, ok, err, i)
				}
			}
			cancel()
			wg.Wait()
		})
	}
}

// Nobody sleeps while there is work: each item needs all workers to be at work
// at once.
func TestCrewWakesEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, rounds = 5, 200
		in, out := link.Adaptive[int](link.Base), link.Adaptive[int](link.Base)
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
				_ = in.Send(t.Context(), i)
			}
			for range size {
				_, _, _ = out.Receive(t.Context())
			}
		}
		in.Close()
		wg.Wait()
		if d := time.Since(begin); d != rounds*time.Second || at.Most() != size {
			t.Errorf("took %v, %d at work at once", d, at.Most())
		}
	})
}

// Everybody leaves with the context, also if it is a bell that tells them and
// they park on nothing but the links.
func TestCrewLeavesWithTheContext(t *testing.T) {
	for _, attended := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			in, out := link.New[int](20), link.New[int](20)
			ctx, cancel := context.WithCancel(t.Context())
			if attended {
				in.Attend()
				out.Attend()
			}
			var wg sync.WaitGroup
			gate := make(chan struct{})
			start(ctx, &wg, in, out, 5, true, func(v int) (int, bool) { <-gate; return v, true })
			for i := range 5 {
				in.Put(i)
			}
			synctest.Wait() // all of them are at work
			close(gate)
			synctest.Wait() // and now they are parked
			cancel()
			if attended {
				in.Ring()
				out.Ring()
			}
			wg.Wait()
			for i := range 5 {
				if v, ok := out.Next(); v != i || !ok {
					t.Errorf("got %d, %v, want %d", v, ok, i)
				}
			}
		})
	}
}

// A crew has as many workers as it may have, and not one more.
func TestCrewSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, items = 3, 20
		in, out := link.New[int](items), link.New[int](items)
		for i := range items {
			in.Put(i)
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
