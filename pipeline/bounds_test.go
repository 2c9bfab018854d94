package pipeline_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pipeline"
)

// L1: a slow stage is not run ahead of by more than the documented bound, whatever the
// number of workers in front of it, their speed and its own: also if the items were
// fast before, and if they come in bursts.
func TestL1TheBoundHoldsForEveryMixOfSpeeds(t *testing.T) {
	const quick = 3000 // items that were fast, and have made the link grow
	for _, workers := range []int{1, 2, 4, 16} {
		for _, unordered := range []bool{false, true} {
			for _, work := range []time.Duration{0, 300 * time.Microsecond, 30 * time.Millisecond} {
				for _, read := range []func(v int) time.Duration{
					func(int) time.Duration { return time.Millisecond },
					func(int) time.Duration { return 20 * time.Millisecond },
					func(v int) time.Duration { return time.Duration(v%2) * time.Millisecond },
					func(v int) time.Duration { return time.Duration(v%3/2) * 3 * time.Millisecond },
				} {
					for _, first := range []int{0, quick} {
						synctest.Test(t, func(t *testing.T) {
							opts := []pipeline.Option{pipeline.WithWorkers(workers)}
							if unordered {
								opts = append(opts, pipeline.Unordered())
							}
							var open testkit.Gauge
							most, begun := 0, 0
							up := pipeline.Map(func(_ context.Context, v int) (int, error) {
								if v >= first {
									time.Sleep(work)
								}
								open.Enter()
								return v, nil
							}, opts...)
							down := pipeline.Tap(func(v int) {
								if begun++; begun > first+1280 { // what was there when it became slow has gone
									most = max(most, open.Now())
								}
								if v >= first {
									time.Sleep(read(v))
								}
								open.Leave()
							})
							if err := pipeline.Then(up, down).ForEach(t.Context(), count(first+2000), func(context.Context, int) error { return nil }); err != nil {
								t.Error(err)
							}
							// What is on the way, and what each worker has done and can't
							// put down yet.
							if bound := max(16, 2*workers) + workers + 1; most > bound {
								t.Errorf("%d workers, unordered %v, work %v, read %v, after %d fast items: %d items wait, the bound is %d",
									workers, unordered, work, read(2), first, most, bound)
							}
						})
					}
				}
			}
		}
	}
}

// L1: a stage that is held up, and then takes what it can at once, is not fast: what
// waits in front of it is bounded as the Buffer behind it says, and not by what a fast
// stream may have.
func TestL1ABurstIsNoFastStream(t *testing.T) {
	for _, buffer := range []int{20, 100} {
		t.Run(fmt.Sprint(buffer), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var open testkit.Gauge
				most := 0
				up := pipeline.Tap(func(int) { open.Enter() })
				mid := pipeline.Tap(func(int) {
					open.Leave()
					most = max(most, open.Now())
				})
				s := pipeline.Then(pipeline.Then(up, mid).Buffer(buffer), pipeline.Tap(func(int) { time.Sleep(time.Millisecond) }))
				if _, err := s.Collect(t.Context(), count(3000)); err != nil {
					t.Error(err)
				}
				if bound := buffer + 16; most > bound {
					t.Errorf("%d items wait, want %d at most", most, bound)
				}
			})
		})
	}
}
