package peers

import (
	"sync"
	"testing"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func init() { work.Add(work.Peer{Name: "goroutines", Tasks: goroutineTasks}) }

// goroutineTasks has no workers: each task is a goroutine, and all run at once.
func goroutineTasks(_ testing.TB, _, _ int, run func(int)) work.Tasks {
	var wg sync.WaitGroup
	return tasks{func(task int) { wg.Go(func() { run(task) }) }, wg.Wait}
}
