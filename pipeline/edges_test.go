package pipeline_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/pipeline"
)

// C13: an observer knows how the stages are connected, branches and calls included.
func TestC13Edges(t *testing.T) {
	same := func(name string) pipeline.Stage[int, int] {
		return pipeline.Map(func(_ context.Context, n int) (int, error) { return n, nil }, pipeline.WithName(name))
	}
	var o pipeline.Observer
	if got := o.Edges(); got != nil {
		t.Errorf("before Observe: %v", got)
	}
	pair := func(a, b int) int { return a + b }
	s := pipeline.Then(pipeline.Zip(same("a"), pipeline.Fuse(same("b"), same("c")), pair), same("d")).Observe(&o)
	if _, err := s.Collect(t.Context(), pipeline.Values(1, 2)); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, st := range o.Stats() {
		names = append(names, st.Name)
	}
	if diff := cmp.Diff([]string{"tee", "a", "b", "c", "zip", "d"}, names); diff != "" {
		t.Errorf("stages, -want +got:\n%s", diff)
	}
	want := []pipeline.Edge{{From: 0, To: 1}, {From: 0, To: 2}, {From: 2, To: 3, Fused: true}, {From: 1, To: 4}, {From: 3, To: 4}, {From: 4, To: 5}}
	if diff := cmp.Diff(want, o.Edges()); diff != "" {
		t.Errorf("edges, -want +got:\n%s", diff)
	}
	o.Edges()[0].To = 9 // a copy
	if got := o.Edges()[0]; got != want[0] {
		t.Errorf("%v is changed from outside", got)
	}
}
