package pipeline_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/pipeline"
)

// TestL4TakeEndsBehindItsLastItem: the handlers of a stage that is fused behind a Take may
// take their time with the last item.
func TestL4TakeEndsBehindItsLastItem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := func(context.Context, int) (int, error) { panic("no") }
		slowly := func(_ context.Context, f pipeline.Failure[int]) (int, error) {
			time.Sleep(time.Second)
			return 10 * f.Item, nil
		}
		got, err := pipeline.Then(pipeline.Take[int](1), pipeline.MapOr(fails, slowly)).Collect(t.Context(), pipeline.Values(3, 4))
		if want := []int{30}; err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	})
}
