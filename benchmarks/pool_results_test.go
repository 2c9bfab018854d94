package benchmarks

import (
	"context"
	"sync"
	"testing"

	"github.com/alitto/pond/v2"
	concpool "github.com/sourcegraph/conc/pool"
	"golang.org/x/sync/errgroup"

	"github.com/tandemgo/tandem/pool"
)

// A summer is one way to run tasks on 8 workers and read their results.
type summer struct {
	sum func(n int) int // of the results of tasks 0 to n-1
	end func()
}

type summerLib struct {
	name string
	new  func(testing.TB) summer
}

const (
	resultBatch = 1000
	window      = 256 // futures at once
)

// BenchmarkPoolResults collects the typed results of 1,000 tasks at a time, by
// index where the library has an order; one operation is one task.
func BenchmarkPoolResults(b *testing.B) {
	benchSummers(b, resultBatch, []summerLib{
		{"tandem", tandemGroup}, {"conc", concResults}, {"pond", pondGroup},
		{"errgroup", errgroupSlice}, {"channels", channelResults},
	})
}

// BenchmarkPoolFutures submits 256 tasks at a time and then waits for the
// future of each; one operation is one task.
func BenchmarkPoolFutures(b *testing.B) {
	benchSummers(b, window, []summerLib{
		{"tandem", tandemFutures}, {"pond", pondFutures}, {"channels", channelFutures},
	})
}

func benchSummers(b *testing.B, batch int, libs []summerLib) {
	for _, lib := range libs {
		b.Run("lib="+lib.name, func(b *testing.B) {
			b.ReportAllocs()
			s := lib.new(b)
			b.ResetTimer()
			for left := b.N; left > 0; left -= batch {
				n := min(batch, left)
				if got, want := s.sum(n), n*(n+1)/2; got != want {
					b.Fatalf("sum of %d results is %d, want %d", n, got, want)
				}
			}
			s.end()
		})
	}
}

// result is the work of a task. It is never zero, so no missing result is right.
func result(task int) int { return task + 1 }

func total(vs []int) (sum int) {
	for _, v := range vs {
		sum += v
	}
	return sum
}

func tandemPool() *pool.Pool[int, int] {
	return pool.New(workers, func(_ context.Context, task int) (int, error) { return result(task), nil }, pool.WithQueue(queue))
}

func tandemGroup(tb testing.TB) summer {
	ctx := context.Background()
	p := tandemPool()
	return summer{
		sum: func(n int) int {
			g := p.Group(ctx)
			for i := range n {
				must(tb, g.Go(i))
			}
			results, err := g.Wait()
			must(tb, err)
			return total(results)
		},
		end: func() { must(tb, p.Close()) },
	}
}

// concResults makes a pool for each batch, as its results come with its end.
func concResults(testing.TB) summer {
	return summer{
		sum: func(n int) int {
			p := concpool.NewWithResults[int]().WithMaxGoroutines(workers)
			for i := range n {
				p.Go(func() int { return result(i) })
			}
			return total(p.Wait())
		},
		end: func() {},
	}
}

func pondGroup(tb testing.TB) summer {
	p := pond.NewResultPool[int](workers, pond.WithQueueSize(queue))
	return summer{
		sum: func(n int) int {
			g := p.NewGroup()
			for i := range n {
				g.Submit(func() int { return result(i) })
			}
			results, err := g.Wait()
			must(tb, err)
			return total(results)
		},
		end: p.StopAndWait,
	}
}

func errgroupSlice(tb testing.TB) summer {
	return summer{
		sum: func(n int) int {
			g := new(errgroup.Group)
			g.SetLimit(workers)
			results := make([]int, n)
			for i := range n {
				g.Go(func() error { results[i] = result(i); return nil })
			}
			must(tb, g.Wait())
			return total(results)
		},
		end: func() {},
	}
}

func channelResults(testing.TB) summer {
	type indexed struct{ index, value int }
	tasks := make(chan int, queue)
	done := make(chan indexed, resultBatch) // all of a batch: it is read after it is submitted
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for task := range tasks {
				done <- indexed{task, result(task)}
			}
		})
	}
	return summer{
		sum: func(n int) int {
			for i := range n {
				tasks <- i
			}
			results := make([]int, n)
			for range n {
				r := <-done
				results[r.index] = r.value
			}
			return total(results)
		},
		end: func() { close(tasks); wg.Wait() },
	}
}

func tandemFutures(tb testing.TB) summer {
	ctx := context.Background()
	p := tandemPool()
	var futures [window]*pool.Future[int]
	return summer{
		sum: func(n int) (sum int) {
			for i := range n {
				f, err := p.Submit(ctx, i)
				must(tb, err)
				futures[i] = f
			}
			for _, f := range futures[:n] {
				v, err := f.Wait(ctx)
				must(tb, err)
				sum += v
			}
			return sum
		},
		end: func() { must(tb, p.Close()) },
	}
}

func pondFutures(tb testing.TB) summer {
	p := pond.NewResultPool[int](workers, pond.WithQueueSize(queue))
	var futures [window]pond.ResultTask[int]
	return summer{
		sum: func(n int) (sum int) {
			for i := range n {
				futures[i] = p.Submit(func() int { return result(i) })
			}
			for _, f := range futures[:n] {
				v, err := f.Wait()
				must(tb, err)
				sum += v
			}
			return sum
		},
		end: p.StopAndWait,
	}
}

// channelFutures makes a channel for each task, with room for its result so that
// no worker waits for a reader.
func channelFutures(testing.TB) summer {
	type call struct {
		task int
		done chan int
	}
	calls := make(chan call, queue)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for c := range calls {
				c.done <- result(c.task)
			}
		})
	}
	var futures [window]chan int
	return summer{
		sum: func(n int) (sum int) {
			for i := range n {
				futures[i] = make(chan int, 1)
				calls <- call{i, futures[i]}
			}
			for _, f := range futures[:n] {
				sum += <-f
			}
			return sum
		},
		end: func() { close(calls); wg.Wait() },
	}
}
