package benchmarks_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/tandemgo/tandem/benchmarks/work"
	"github.com/tandemgo/tandem/pool"
)

// growPool submits n tasks from one goroutine.
func growPool(b *testing.B, n, rounds int) func(held func()) {
	plusOne := plusOneOf(rounds)
	return func(held func()) {
		ctx := context.Background()
		sum := new(sharedSum)
		p := pool.New(work.Workers, func(_ context.Context, task int) (struct{}, error) {
			sum.Add(int64(plusOne(task)))
			return struct{}{}, nil
		})
		for i := range n {
			work.Must(b, p.Go(ctx, i))
		}
		held()
		work.Must(b, p.Close())
		checkSum(b, int(sum.Load()), n)
	}
}

// growPoolWaiting queues n tasks while every worker is busy.
func growPoolWaiting(b *testing.B, n, rounds int) func(held func()) {
	plusOne := plusOneOf(rounds)
	return func(held func()) {
		ctx := context.Background()
		sum := new(sharedSum)
		busy, free := make(chan struct{}), make(chan struct{})
		p := pool.New(work.Workers, func(_ context.Context, task int) (struct{}, error) {
			if task < 0 {
				busy <- struct{}{}
				<-free
				return struct{}{}, nil
			}
			sum.Add(int64(plusOne(task)))
			return struct{}{}, nil
		}, pool.WithQueue(n))
		for range work.Workers {
			work.Must(b, p.Go(ctx, -1))
			<-busy
		}
		for i := range n {
			work.Must(b, p.Go(ctx, i))
		}
		held()
		close(free)
		work.Must(b, p.Close())
		checkSum(b, int(sum.Load()), n)
	}
}

// growPoolGroup collects n results in one group. The memory is largest when the results
// are in a slice and the group still exists.
func growPoolGroup(b *testing.B, n, rounds int) func(held func()) {
	step := stepOf(rounds)
	return func(held func()) {
		ctx := context.Background()
		p := pool.New(work.Workers, step)
		g := p.Group(ctx)
		for i := range n {
			g.Go(i)
		}
		results, err := g.Wait(ctx)
		work.Must(b, err)
		held()
		runtime.KeepAlive(g)
		sum := 0
		for _, v := range results {
			sum += v
		}
		work.Must(b, p.Close())
		checkSum(b, sum, n)
	}
}
