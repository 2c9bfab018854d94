package peers

import (
	"context"
	"testing"

	"github.com/tandemgo/tandem/benchmarks/classic"
	"github.com/tandemgo/tandem/benchmarks/work"
)

func classicTasks(_ testing.TB, workers, room int, run func(int)) work.Tasks {
	p := classic.NewPool(context.Background(), workers, room, func(v any) any { run(v.(int)); return nil })
	drained := make(chan struct{})
	go func() { // otherwise it deadlocks
		defer close(drained)
		for range p.Results {
		}
	}()
	return tasks{
		submit: func(task int) { p.Jobs <- task },
		wait:   func() { p.Close(); <-drained },
	}
}
