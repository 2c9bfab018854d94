package benchmarks_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"

	"github.com/tandemgo/tandem/benchmarks/work"
	"github.com/tandemgo/tandem/broadcast"
)

// growBroadcast sends n values from one goroutine to 10 subscribers, which miss none.
func growBroadcast(b *testing.B, n, rounds int) func(held func()) {
	return growSent(b, n, rounds, 1)
}

// growSenders sends n values from 8 goroutines to 10 subscribers.
func growSenders(b *testing.B, n, rounds int) func(held func()) {
	return growSent(b, n, rounds, work.Workers)
}

func growSent(b *testing.B, n, rounds, senders int) func(held func()) {
	plusOne := plusOneOf(rounds)
	return func(held func()) {
		ctx := context.Background()
		bc := broadcast.New[int]()
		var readers sync.WaitGroup
		sums := make([]int, 10)
		for i, s := range subscribe(b, bc, len(sums)) {
			readers.Go(func() { sums[i] = sumOf(b, s) })
		}
		together(n, senders, func(i int) { work.Must(b, bc.Send(ctx, plusOne(i))) })
		held()
		work.Must(b, bc.Close())
		readers.Wait()
		for _, sum := range sums {
			checkSum(b, sum, n)
		}
	}
}

// together calls each for 0 to n-1 on the given number of goroutines.
func together(n, procs int, each func(i int)) {
	var wg sync.WaitGroup
	for first := range procs {
		wg.Go(func() {
			for i := first; i < n; i += procs {
				each(i)
			}
		})
	}
	wg.Wait()
}

// growSubscribers has n subscribers, each on its own goroutine, which receive the same
// 100 values.
func growSubscribers(b *testing.B, n, _ int) func(held func()) {
	const values = 100
	return func(held func()) {
		ctx := context.Background()
		bc := broadcast.New[int]()
		subs := subscribe(b, bc, n)
		held()
		runtime.KeepAlive(bc)
		var readers sync.WaitGroup
		sums := make([]int, n)
		for i, s := range subs {
			readers.Go(func() { sums[i] = sumOf(b, s) })
		}
		for i := range values {
			work.Must(b, bc.Send(ctx, i+1))
		}
		work.Must(b, bc.Close())
		readers.Wait()
		for _, sum := range sums {
			checkSum(b, sum, values)
		}
	}
}

func subscribe(b *testing.B, bc *broadcast.Broadcast[int], n int) []*broadcast.Subscription[int] {
	subs := make([]*broadcast.Subscription[int], n)
	for i := range subs {
		s, err := bc.Subscribe(broadcast.WithOverflow(broadcast.Block))
		if err != nil {
			b.Fatal(err)
		}
		subs[i] = s
	}
	return subs
}

// sumOf returns the sum of the values of s, read to its end.
func sumOf(b *testing.B, s *broadcast.Subscription[int]) (sum int) {
	var dst [64]int
	for {
		n, err := s.NextBatch(context.Background(), dst[:])
		if errors.Is(err, broadcast.ErrClosed) {
			return sum
		}
		if err != nil {
			b.Error(err)
			return sum
		}
		for _, v := range dst[:n] {
			sum += v
		}
	}
}
