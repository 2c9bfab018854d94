package peers

import (
	"sync"
	"testing"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func channelTasks(_ testing.TB, workers, room int, run func(int)) work.Tasks {
	queue := make(chan int, room)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for task := range queue {
				run(task)
			}
		})
	}
	return tasks{
		submit: func(task int) { queue <- task },
		wait:   func() { close(queue); wg.Wait() },
	}
}

func channelResults(tb testing.TB, workers, batch int, run func(int) int) work.Batches {
	type indexed struct{ index, value int }
	done := make(chan indexed, batch) // room for a batch, which is read after all of it was submitted
	p := channelTasks(tb, workers, batch, func(task int) { done <- indexed{task, run(task)} })
	return batches{
		sum: func(n int) int {
			for i := range n {
				p.Submit(i)
			}
			results := make([]int, n)
			for range n {
				r := <-done
				results[r.index] = r.value
			}
			return total(results)
		},
		close: p.Wait,
	}
}

// channelFutures makes a channel for each task, with room for its result so that no
// worker waits for a reader.
func channelFutures(_ testing.TB, workers, batch int, run func(int) int) work.Batches {
	type call struct {
		task int
		done chan int
	}
	calls := make(chan call, batch)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for c := range calls {
				c.done <- run(c.task)
			}
		})
	}
	futures := make([]chan int, batch)
	return batches{
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
		close: func() { close(calls); wg.Wait() },
	}
}
