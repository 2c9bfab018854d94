package pipeline_test

import (
	"context"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/tandemgo/tandem/pipeline"
)

// C8: no memory is allocated in proportion to a bound that is not reached.
func TestC8BoundsThatAreNotReachedCostNothing(t *testing.T) {
	for name, s := range map[string]pipeline.Stage[int, int]{
		"workers":           add(0, pipeline.WithWorkers(math.MaxInt)),
		"unordered":         add(0, pipeline.WithWorkers(math.MaxInt32), pipeline.Unordered()),
		"buffer":            add(0).Buffer(math.MaxInt),
		"buffers":           add(0, pipeline.WithWorkers(math.MaxInt)).Buffer(math.MaxInt).Buffer(math.MaxInt),
		"batch":             pipeline.Then(pipeline.Batch[int](math.MaxInt, 0), pipeline.Unbatch[int]()),
		"flat map, workers": pipeline.FlatMap(func(_ context.Context, v int, emit func(int) error) error { return emit(v) }, pipeline.WithWorkers(math.MaxInt)),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		out, err := s.Collect(t.Context(), count(10))
		runtime.ReadMemStats(&after)
		slices.Sort(out)
		if !slices.Equal(out, slices.Collect(numbers(10))) || err != nil {
			t.Errorf("%s: %v, %v", name, out, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%s: %d bytes for ten items", name, n)
		}
	}
}
