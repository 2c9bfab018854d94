package benchmarks_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tandemgo/tandem/benchmarks/work"
	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/link"
	"github.com/tandemgo/tandem/pool"
)

// BenchmarkGrowthSection is the part of the work on an item that one goroutine at
// a time can do, and nothing but that: as many goroutines as there are processors
// do it without a pause. With one processor it is what the section takes; with
// more, what it takes when its cache lines have to come from another one each
// time, or nearly so. ns/item is the time from one item to the next, of any
// goroutine.
func BenchmarkGrowthSection(b *testing.B) {
	for _, s := range []struct {
		name string
		// samples returns how many nanoseconds an item took, several times.
		samples func(b *testing.B, procs int) []float64
		// rank is which of them counts, in order: the median, as a rule.
		rank float64
	}{
		{"pool", trials(poolSection), 0.5},
		{"pool-group", trials(groupSection), 0.5},
		{"pipeline", trials(linkSection), 0.5},
		{"pipeline-ordered", trials(crewSection), 0.5},
		{"fan-map", trials(mapSection), 0.5},
		{"word", handOver, 0.1}, // it can be held up, but never be quicker than it is
		{"broadcast", trials(sendSection), 0.5},
	} {
		b.Run(fmt.Sprintf("part=%s/lib=tandem", s.name), func(b *testing.B) {
			var took []float64
			for b.Loop() {
				took = append(took, s.samples(b, runtime.GOMAXPROCS(0))...)
			}
			slices.Sort(took)
			b.ReportMetric(took[int(s.rank*float64(len(took)))], "ns/item")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// Many short trials, as it is the median that counts: where there are as many
// goroutines as processors, it is another program that decides about some.
const (
	sectionTrials = 41
	sectionItems  = 25_000
)

// trials times run for n items, on so many goroutines.
func trials(prepare func(b *testing.B, n, procs int) (run, end func())) func(*testing.B, int) []float64 {
	return func(b *testing.B, procs int) (took []float64) {
		for range sectionTrials {
			run, end := prepare(b, sectionItems, procs)
			start := time.Now()
			run()
			took = append(took, float64(time.Since(start).Nanoseconds())/sectionItems)
			end()
		}
		return took
	}
}

// together calls each for 0 to n-1 on so many goroutines.
func together(n, procs int, each func(i int)) {
	var wg sync.WaitGroup
	for first := range procs {
		wg.Go(func() {
			for i := first; i < n; i += procs {
				each(i)
			}
		})
	}
	wg.Wait()
}

// busyPool returns a pool whose workers do nothing until they are let go, and has
// room for n tasks.
func busyPool(b *testing.B, n int) (p *pool.Pool[int, int], end func()) {
	busy, free := make(chan struct{}), make(chan struct{})
	p = pool.New(work.Workers, func(_ context.Context, task int) (int, error) {
		if task < 0 {
			busy <- struct{}{}
			<-free
		}
		return task, nil
	}, pool.WithQueue(n))
	for range work.Workers {
		work.Must(b, p.Go(context.Background(), -1))
		<-busy
	}
	return p, func() {
		close(free)
		work.Must(b, p.Close())
	}
}

// poolSection submits tasks: most of that is under the lock of the inbox.
func poolSection(b *testing.B, n, procs int) (run, end func()) {
	p, end := busyPool(b, n)
	return func() {
		together(n, procs, func(i int) { work.Must(b, p.Go(context.Background(), i)) })
	}, end
}

// groupSection submits tasks to a group, which keeps them in slots.
func groupSection(b *testing.B, n, procs int) (run, end func()) {
	p, letGo := busyPool(b, n)
	g := p.Group(context.Background())
	return func() {
			together(n, procs, func(i int) { g.Go(i) })
		}, func() {
			letGo()
			if results, err := g.Wait(context.Background()); err != nil || len(results) != n {
				b.Fatalf("%d results, error %v; want %d", len(results), err, n)
			}
		}
}

// linkSection sends items from one goroutine to another: what a stage has to do
// on each side.
func linkSection(b *testing.B, n, _ int) (run, end func()) {
	ctx := context.Background()
	l := link.Adaptive[int](link.Base)
	return func() {
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range n {
				work.Must(b, l.Send(ctx, i+1))
			}
			l.Close()
		})
		sum := 0
		for v, ok, _ := l.Receive(ctx); ok; v, ok, _ = l.Receive(ctx) {
			sum += v
		}
		wg.Wait()
		checkSum(b, sum, n)
	}, func() {}
}

// crewSection is the turn of a worker who has nothing to work on.
func crewSection(b *testing.B, n, procs int) (run, end func()) {
	ctx := context.Background()
	in, out := link.New[int](n), link.New[int](n)
	for i := range n {
		in.Put(i)
	}
	in.Close()
	crew := link.NewCrew(in, out, procs, true, func() {}) // all are started below
	return func() {
			var wg sync.WaitGroup
			for range procs {
				wg.Go(func() {
					var j link.Job[int, int]
					for ok, _ := crew.Turn(ctx, &j); ok; ok, _ = crew.Turn(ctx, &j) {
						j.Result, j.Keep = j.Item+1, true
					}
				})
			}
			wg.Wait()
		}, func() {
			sum := 0
			for v, ok := out.Next(); ok; v, ok = out.Next() {
				sum += v
			}
			checkSum(b, sum, n)
		}
}

// handOver changes one word by compare-and-swap, as a limiter does. Two goroutines
// take turns if there are processors for them, since between two claims of one
// there are those of others: its cache line never stays.
func handOver(_ *testing.B, procs int) (took []float64) {
	const samples, turns = 500, 100
	var word sharedSum
	players := min(procs, 2)
	play := func(first int, sampled func()) {
		for i := first; i < samples*turns; i += players {
			for spins := 1; word.Load() != int64(i) || !word.CompareAndSwap(int64(i), int64(i+1)); spins++ {
				if spins%1000 == 0 {
					runtime.Gosched() // whose turn it is may not be running
				}
			}
			if i%turns == 0 {
				sampled()
			}
		}
	}
	var wg sync.WaitGroup
	if players > 1 {
		wg.Go(func() { play(1, func() {}) })
	}
	last := time.Now()
	play(0, func() {
		now := time.Now()
		took = append(took, float64(now.Sub(last).Nanoseconds())/turns)
		last = now
	})
	wg.Wait()
	return took
}

// mapSection is what the caller of fan.Map does alone: to make the slice of
// results, and to read them.
func mapSection(b *testing.B, n, _ int) (run, end func()) {
	sum := 0
	return func() {
		out := make([]int, n)
		for i, v := range out {
			sum += v + i + 1
		}
	}, func() { checkSum(b, sum, n) }
}

// sendSection appends values to the log of a broadcast without subscribers.
func sendSection(b *testing.B, n, procs int) (run, end func()) {
	ctx := context.Background()
	bc := broadcast.New[int]()
	return func() {
		together(n, procs, func(i int) { work.Must(b, bc.Send(ctx, i)) })
	}, func() { work.Must(b, bc.Close()) }
}
