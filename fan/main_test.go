package fan_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"testing"

	"github.com/tandemgo/tandem/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

var errItem = errors.New("bad item")

func square(_ context.Context, n int) (int, error) { return n * n, nil }

func count(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

func numbers(n int) []int { return slices.AppendSeq([]int{}, count(n)) }

func squares(n int) []int {
	out := numbers(n)
	for i := range out {
		out[i] *= i
	}
	return out
}

// feed returns a channel that gives 0 … n-1 and is then closed. Its goroutine
// ends with ctx.
func feed(ctx context.Context, n int) <-chan int {
	ch := make(chan int)
	go func() {
		defer close(ch)
		for i := range n {
			select {
			case ch <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	return ch
}

func drain[T any](chs ...<-chan T) {
	var wg sync.WaitGroup
	for _, ch := range chs {
		wg.Go(func() {
			for range ch {
			}
		})
	}
	wg.Wait()
}

func last(seq iter.Seq2[int, error]) (last error) {
	for _, err := range seq {
		if err != nil {
			last = err
		}
	}
	return last
}

// each runs n functions.
func each(n int, fn func(context.Context, int) (int, error)) (fns []func(context.Context) (int, error)) {
	for i := range n {
		fns = append(fns, func(ctx context.Context) (int, error) { return fn(ctx, i) })
	}
	return fns
}
