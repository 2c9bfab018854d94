package pipeline_test

import (
	"context"
	"errors"
	"iter"
	"sync"
	"testing"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pipeline"
)

func TestMain(m *testing.M) { testkit.Main(m) }

var errItem = errors.New("bad item")

func count(n int) pipeline.Source[int] { return pipeline.Seq(numbers(n)) }

func numbers(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

func plus(n int) func(context.Context, int) (int, error) {
	return func(_ context.Context, v int) (int, error) { return v + n, nil }
}

// add is a stage that adds n.
func add(n int, opts ...pipeline.Option) pipeline.Stage[int, int] {
	return pipeline.Map(plus(n), opts...)
}

// An account says of each value how often it was made, and what became of it.
type account struct {
	mu             sync.Mutex
	made, received map[int]int
}

func (a *account) note(to *map[int]int, v int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if *to == nil {
		*to = map[int]int{}
	}
	(*to)[v]++
}

func (a *account) make(v int) int { a.note(&a.made, v); return v }
func (a *account) receive(v int)  { a.note(&a.received, v) }
