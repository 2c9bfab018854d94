package survive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/alitto/pond/v2"
	concpool "github.com/sourcegraph/conc/pool"
	"golang.org/x/sync/errgroup"

	"github.com/tandemgo/tandem/benchmarks/classic"
	"github.com/tandemgo/tandem/pool"
)

// poolResults are the scenarios of results and errors.
var poolResults = slices.Concat(
	each("FP1", batches, readLate, nil),
	each("FP2", batches, pairs, documented{"conc": "pool.ResultPool.Wait"}),
	each("FP11", groups, firstRealError, nil),
	each("FP13", groups, failsWhileFull, nil),
)

// A batch runs n functions on three workers. It submits all of them before it reads a
// result, and closes the pool if it can be closed.
type batch func(n int, fn func(int) int) ([]int, error)

var batches = map[string]batch{
	tandem: func(n int, fn func(int) int) ([]int, error) {
		p := pool.New(3, func(_ context.Context, v int) (int, error) { return fn(v), nil }, pool.WithQueue(0))
		ctx := context.Background()
		g := p.Group(ctx)
		for i := range n {
			g.Go(i)
		}
		if err := p.Close(); err != nil {
			return nil, err
		}
		return g.Wait(ctx)
	},
	"conc": func(n int, fn func(int) int) ([]int, error) {
		p := concpool.NewWithResults[int]().WithMaxGoroutines(3)
		for i := range n {
			p.Go(func() int { return fn(i) })
		}
		return p.Wait(), nil
	},
	"pond": func(n int, fn func(int) int) ([]int, error) {
		p := pond.NewResultPool[int](3, pond.WithQueueSize(0))
		g := p.NewGroup()
		for i := range n {
			g.Submit(func() int { return fn(i) })
		}
		p.StopAndWait()
		return g.Wait()
	},
	byClassic: func(n int, fn func(int) int) (got []int, _ error) {
		p := classic.NewPool(context.Background(), 3, 10, func(v any) any { return fn(v.(int)) })
		for i := range n {
			p.Jobs <- i
		}
		p.Close()
		for v := range p.Results {
			got = append(got, v.(int))
		}
		return got, nil
	},
	byHand: func(n int, fn func(int) int) ([]int, error) { // room for each result
		queue, got := make(chan int), make([]int, n)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				for i := range queue {
					got[i] = fn(i)
				}
			})
		}
		for i := range n {
			queue <- i
		}
		close(queue)
		wg.Wait()
		return got, nil
	},
}

// readLate: all results are available after all tasks were submitted and the pool was
// closed.
func readLate(run batch) error {
	got, err := run(100, func(v int) int { return v })
	if err == nil && len(got) != 100 {
		err = fmt.Errorf("%d of 100 results", len(got))
	}
	return err
}

// pairs: results have the order of their inputs, though the first takes longest.
func pairs(run batch) error {
	got, err := run(9, func(v int) int { time.Sleep(time.Duration(9-v) * time.Second); return v })
	if err == nil && !slices.IsSorted(got) {
		err = fmt.Errorf("inputs 0 … 8 have the results %v", got)
	}
	return err
}

// A group runs tasks on the given number of workers. The context of each task ends with
// the first error, which is returned.
type group func(workers int, tasks ...func(context.Context) error) error

var groups = map[string]group{
	tandem: func(workers int, tasks ...func(context.Context) error) error {
		p := pool.New(workers, func(ctx context.Context, fn func(context.Context) error) (int, error) { return 0, fn(ctx) }, pool.WithQueue(0))
		ctx := context.Background()
		g := p.Group(ctx)
		for _, fn := range tasks {
			g.Go(fn)
		}
		_, err := g.Wait(ctx)
		return errors.Join(err, p.Close())
	},
	"errgroup": func(workers int, tasks ...func(context.Context) error) error {
		g, ctx := errgroup.WithContext(context.Background())
		g.SetLimit(workers)
		for _, fn := range tasks {
			g.Go(func() error { return fn(ctx) })
		}
		return g.Wait()
	},
	"conc": func(workers int, tasks ...func(context.Context) error) error {
		p := concpool.New().WithMaxGoroutines(workers).WithContext(context.Background()).WithCancelOnError().WithFirstError()
		for _, fn := range tasks {
			p.Go(fn)
		}
		return p.Wait()
	},
	"pond": func(workers int, tasks ...func(context.Context) error) error {
		p := pond.NewPool(workers, pond.WithQueueSize(0))
		g := p.NewGroup()
		for _, fn := range tasks {
			g.SubmitErr(func() error { return fn(g.Context()) })
		}
		err := g.Wait()
		p.StopAndWait()
		return err
	},
}

var errReal = errors.New("the real error")

// firstRealError: the errors of tasks that were stopped do not hide the error that stopped
// them.
func firstRealError(run group) error {
	follower := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	err := run(4, follower, func(context.Context) error { time.Sleep(time.Second); return errReal }, follower)
	if !errors.Is(err, errReal) || errors.Is(err, context.Canceled) {
		return fmt.Errorf("the error is %w", err)
	}
	return nil
}

// failsWhileFull: a group fails while its submitter waits for room.
func failsWhileFull(run group) error {
	err := run(1, func(context.Context) error { time.Sleep(time.Second); return errReal },
		func(ctx context.Context) error { return ctx.Err() }, func(ctx context.Context) error { return ctx.Err() })
	if !errors.Is(err, errReal) {
		return fmt.Errorf("the error is %w", err)
	}
	return nil
}
