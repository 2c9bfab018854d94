package fan_test

import (
	"context"
	"errors"
	"iter"
	"slices"
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
