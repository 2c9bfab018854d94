package cookbook_test

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/tandemgo/tandem/inflight"
	"github.com/tandemgo/tandem/pipeline"
)

var errBusy = errors.New("busy")

// A stage whose workers follow what a service can take: it drops all that is more than four
// calls at once, and the limiter learns that while the pipeline runs. A call that is dropped
// is made again.
func Example_atOnce() {
	var mu sync.Mutex
	now := 0
	service := func(n int) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		if now++; now > 4 {
			now--
			return 0, errBusy
		}
		return n * n, nil
	}
	answered := func() {
		mu.Lock()
		defer mu.Unlock()
		now--
	}
	// The stage has as many workers as the limit may become.
	l := inflight.NewAdaptive(1, 32, inflight.AIMD(0))
	ask := inflight.Limited(l, func(_ context.Context, n int) (int, error) {
		square, err := service(n)
		if err == nil {
			answered()
		}
		return square, err
	}, func(err error) inflight.Outcome {
		if err != nil {
			return inflight.Dropped
		}
		return inflight.Success
	})
	squares := pipeline.Map(ask, pipeline.WithWorkers(32), pipeline.WithRetry(pipeline.RetryPolicy{Attempts: 1000}))

	var numbers []int
	for n := range 1000 {
		numbers = append(numbers, n)
	}
	values, err := squares.Collect(context.Background(), pipeline.Values(numbers...))
	fmt.Println(len(values), values[999], err, l.Stats().InFlight)
	// Output: 1000 998001 <nil> 0
}
