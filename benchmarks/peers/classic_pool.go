package peers

import (
	"context"
	"sync"
	"testing"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func classicTasks(_ testing.TB, workers, room int, run func(int)) work.Tasks {
	p := newClassicPool(context.Background(), workers, room, func(v any) error { run(v.(int)); return nil })
	drained := make(chan struct{})
	go func() { // or it deadlocks
		defer close(drained)
		for range p.results {
		}
	}()
	return tasks{
		submit: func(task int) { p.jobs <- task },
		wait:   func() { p.close(); <-drained },
	}
}

type classicPool struct {
	jobs    chan any
	results chan error
	wg      sync.WaitGroup
}

func newClassicPool(ctx context.Context, workers, results int, fn func(any) error) *classicPool {
	p := &classicPool{jobs: make(chan any, workers*2), results: make(chan error, results)}
	for range workers {
		p.wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case job, ok := <-p.jobs:
					if !ok {
						return
					}
					p.results <- fn(job)
				}
			}
		})
	}
	return p
}

func (p *classicPool) close() {
	close(p.jobs)
	p.wg.Wait()
	close(p.results)
}
