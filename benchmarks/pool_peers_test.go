package benchmarks

import (
	"context"
	"sync"
	"testing"

	"github.com/alitto/pond/v2"
	"github.com/gammazero/workerpool"
	"github.com/panjf2000/ants/v2"
	concpool "github.com/sourcegraph/conc/pool"
	"golang.org/x/sync/errgroup"

	"github.com/tandemgo/tandem/pool"
)

// A runner is one way to run tasks on 8 workers.
type runner struct {
	submit func(task int)
	wait   func() // until every task has run; then the runner is at its end
}

// A newRunner makes a runner that calls fn for each task. Those with a bounded
// queue give it room for that many waiting tasks. The others have none (conc,
// errgroup, ants), where submitting waits for a worker, or one without a bound
// (workerpool). Where a task is a closure, the value goes into it.
type newRunner func(tb testing.TB, queue int, fn func(task int)) runner

type runnerLib struct {
	name string
	new  newRunner
}

var runnerLibs = []runnerLib{
	{"tandem", tandemRunner},
	{"conc", concRunner},
	{"pond", pondRunner},
	{"ants", antsRunner},
	{"ants-generic", antsGenericRunner},
	{"workerpool", workerpoolRunner},
	{"errgroup", errgroupRunner},
	{"channels", channelRunner},
	{"classic", classicRunner},
	{"goroutines", goroutineRunner},
}

func tandemRunner(tb testing.TB, queue int, fn func(int)) runner {
	ctx := context.Background()
	p := pool.New(workers, func(_ context.Context, task int) (struct{}, error) {
		fn(task)
		return struct{}{}, nil
	}, pool.WithQueue(queue))
	return runner{
		submit: func(task int) { must(tb, p.Go(ctx, task)) },
		wait:   func() { must(tb, p.Close()) },
	}
}

func concRunner(_ testing.TB, _ int, fn func(int)) runner {
	p := concpool.New().WithMaxGoroutines(workers)
	return runner{submit: func(task int) { p.Go(func() { fn(task) }) }, wait: p.Wait}
}

func pondRunner(tb testing.TB, queue int, fn func(int)) runner {
	p := pond.NewPool(workers, pond.WithQueueSize(queue))
	return runner{
		submit: func(task int) { must(tb, p.Go(func() { fn(task) })) },
		wait:   p.StopAndWait,
	}
}

func antsRunner(tb testing.TB, _ int, fn func(int)) runner {
	p, err := ants.NewPool(workers)
	must(tb, err)
	return runner{
		submit: func(task int) { must(tb, p.Submit(func() { fn(task) })) },
		wait:   func() { must(tb, p.ReleaseContext(context.Background())) },
	}
}

func antsGenericRunner(tb testing.TB, _ int, fn func(int)) runner {
	p, err := ants.NewPoolWithFuncGeneric(workers, fn)
	must(tb, err)
	return runner{
		submit: func(task int) { must(tb, p.Invoke(task)) },
		wait:   func() { must(tb, p.ReleaseContext(context.Background())) },
	}
}

func workerpoolRunner(_ testing.TB, _ int, fn func(int)) runner {
	p := workerpool.New(workers)
	return runner{submit: func(task int) { p.Submit(func() { fn(task) }) }, wait: p.StopWait}
}

func errgroupRunner(tb testing.TB, _ int, fn func(int)) runner {
	g := new(errgroup.Group)
	g.SetLimit(workers)
	return runner{
		submit: func(task int) { g.Go(func() error { fn(task); return nil }) },
		wait:   func() { must(tb, g.Wait()) },
	}
}

func channelRunner(_ testing.TB, queue int, fn func(int)) runner {
	tasks := make(chan int, queue)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for task := range tasks {
				fn(task)
			}
		})
	}
	return runner{
		submit: func(task int) { tasks <- task },
		wait:   func() { close(tasks); wg.Wait() },
	}
}

func classicRunner(_ testing.TB, queue int, fn func(int)) runner {
	p := newClassicPool(context.Background(), workers, queue, func(v any) error { fn(v.(int)); return nil })
	drained := make(chan struct{})
	go func() { // or it deadlocks
		defer close(drained)
		for range p.results {
		}
	}()
	return runner{
		submit: func(task int) { p.jobs <- task },
		wait:   func() { p.close(); <-drained },
	}
}

// goroutineRunner has no workers: each task is a goroutine, all at once.
func goroutineRunner(_ testing.TB, _ int, fn func(int)) runner {
	var wg sync.WaitGroup
	return runner{submit: func(task int) { wg.Go(func() { fn(task) }) }, wait: wg.Wait}
}

// must fails tb, from any goroutine, if there is an error.
func must(tb testing.TB, err error) {
	if err != nil {
		tb.Error(err)
	}
}
