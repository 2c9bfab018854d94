package pipeline_test

import (
	"context"
	"errors"
	"iter"
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
