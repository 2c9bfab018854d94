package peers

import (
	"testing"

	"github.com/gammazero/workerpool"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func init() {
	work.Add(work.Peer{
		Name: "workerpool", Module: "github.com/gammazero/workerpool",
		Tasks: workerpoolTasks, Waiting: true, // its queue has no bound
	})
}

func workerpoolTasks(_ testing.TB, workers, _ int, run func(int)) work.Tasks {
	p := workerpool.New(workers)
	return tasks{func(task int) { p.Submit(func() { run(task) }) }, p.StopWait}
}
