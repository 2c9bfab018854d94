package peers

import (
	"context"
	"testing"

	"golang.org/x/sync/semaphore"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func init() {
	work.Add(work.Peer{Name: "semaphore", Module: "golang.org/x/sync", Tasks: semaphoreTasks})
}

// semaphoreTasks has a goroutine for each task, at most workers at once.
func semaphoreTasks(tb testing.TB, workers, _ int, run func(int)) work.Tasks {
	ctx, n := context.Background(), int64(workers)
	s := semaphore.NewWeighted(n)
	return tasks{
		submit: func(task int) {
			work.Must(tb, s.Acquire(ctx, 1))
			go func() {
				defer s.Release(1)
				run(task)
			}()
		},
		wait: func() { work.Must(tb, s.Acquire(ctx, n)) },
	}
}
