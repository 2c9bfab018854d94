package peers

import (
	"context"
	"testing"

	"github.com/panjf2000/ants/v2"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func init() {
	const module = "github.com/panjf2000/ants/v2"
	work.Add(work.Peer{Name: "ants", Module: module, Tasks: antsTasks})
	work.Add(work.Peer{Name: "ants-generic", Module: module, Tasks: antsGenericTasks})
}

func antsTasks(tb testing.TB, workers, _ int, run func(int)) work.Tasks {
	p, err := ants.NewPool(workers)
	work.Must(tb, err)
	return tasks{
		func(task int) { work.Must(tb, p.Submit(func() { run(task) })) },
		func() { work.Must(tb, p.ReleaseContext(context.Background())) },
	}
}

func antsGenericTasks(tb testing.TB, workers, _ int, run func(int)) work.Tasks {
	p, err := ants.NewPoolWithFuncGeneric(workers, run)
	work.Must(tb, err)
	return tasks{
		func(task int) { work.Must(tb, p.Invoke(task)) },
		func() { work.Must(tb, p.ReleaseContext(context.Background())) },
	}
}
