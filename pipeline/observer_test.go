package pipeline_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/pipeline"
)

// The workers of a FlatMap are measured as those of other stages: what they emit is
// what the stage has sent, and to wait for others that emit is to be blocked.
func TestObserverSeesTheWorkersOfAFlatMap(t *testing.T) {
	for name, opts := range map[string][]pipeline.Option{
		"one worker": nil,
		"ordered":    {pipeline.WithWorkers(2)},
		"unordered":  {pipeline.WithWorkers(2), pipeline.Unordered()},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const items, emits = 40, 20
				var o pipeline.Observer
				s := pipeline.Then(pipeline.FlatMap(func(_ context.Context, v int, emit func(int) error) error {
					time.Sleep(time.Second)
					for range emits {
						if err := emit(v); err != nil {
							return err
						}
					}
					return nil
				}, opts...), pipeline.Tap(func(int) { time.Sleep(10 * time.Second) })).Observe(&o)
				start := time.Now()
				out, err := s.Collect(t.Context(), count(items))
				took := time.Since(start)
				if err != nil || len(out) != items*emits {
					t.Errorf("%d results, %v", len(out), err)
				}
				st := o.Stats()[0]
				workers := min(2, 1+len(opts))
				if st.In != items || st.Out != items*emits || st.Workers != workers {
					t.Errorf("%+v", st)
				}
				// All that is not work is to be blocked, until the last items are
				// on their way.
				if st.Busy != items*time.Second || st.Blocked < time.Duration(workers)*took*3/4 {
					t.Errorf("in %v: busy %v, blocked %v, waiting %v", took, st.Busy, st.Blocked, st.Waiting)
				}
			})
		})
	}
}
