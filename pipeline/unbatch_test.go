package pipeline_test

import (
	"context"
	"runtime"
	"slices"
	"testing"

	"github.com/tandemgo/tandem/pipeline"
)

// TestL7UnbatchGoesOn: a function behind an Unbatch that panics or calls Goexit does not
// drop the rest of the slice.
func TestL7UnbatchGoesOn(t *testing.T) {
	for name, fail := range map[string]func(){"panic": func() { panic("no") }, "Goexit": runtime.Goexit} {
		var o pipeline.Observer
		s := pipeline.Then(pipeline.Unbatch[int](), pipeline.Map(func(_ context.Context, v int) (int, error) {
			if v == 2 || v == 4 {
				fail()
			}
			return v, nil
		}, pipeline.WithErrorHandler(func(error) pipeline.ErrorAction { return pipeline.Skip }))).Observe(&o)
		got, err := s.Collect(t.Context(), pipeline.Values([]int{1, 2, 3, 4, 5}, []int{6}))
		if err != nil {
			t.Fatal(err)
		}
		if want := []int{1, 3, 5, 6}; !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
		if st := o.Stats()[1]; st.In != 6 || st.Skipped != 2 || st.Out != 4 {
			t.Errorf("%s: %v", name, st)
		}
	}
}
