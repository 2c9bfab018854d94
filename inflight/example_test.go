package inflight_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tandemgo/tandem/inflight"
	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/pool"
)

// At most three units of weight at once.
func Example() {
	l := inflight.New(3)
	p, err := l.Acquire(context.Background(), 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, ok := l.TryAcquire(2)
	fmt.Println(ok, l.Stats())
	p.Release(inflight.Success)
	fmt.Println(l.Stats())
	// Output:
	// false 2 of 3 in flight, 0 waiting, 0 waits, 0 dropped, latency 0s of 0s
	// 0 of 3 in flight, 0 waiting, 0 waits, 0 dropped, latency 0s of 0s
}

// A limit that is learned between 1 and 100. The server here never says that it is enough.
func ExampleNewAdaptive() {
	l := inflight.NewAdaptive(1, 100, inflight.AIMD(0))
	for l.Limit() < 100 {
		var ps []inflight.Permit
		for p, ok := l.TryAcquire(1); ok; p, ok = l.TryAcquire(1) {
			ps = append(ps, p)
		}
		for i := range ps {
			ps[i].Release(inflight.Success) // or Dropped, or Ignored
		}
	}
	fmt.Println(l.Limit())
	// Output: 100
}

// How an adaptive limiter is to learn.
func ExampleAlgorithm() {
	for _, algorithm := range []inflight.Algorithm{inflight.AIMD(time.Second), inflight.Gradient(), inflight.Vegas()} {
		l := inflight.NewAdaptive(10, 100, algorithm)
		fmt.Println(l.Limit())
	}
	// Output:
	// 10
	// 10
	// 10
}

// A dropped call lowers the limit by a tenth, once for all that were in flight together.
func ExampleAIMD() {
	l := inflight.NewAdaptive(1, 100, inflight.AIMD(0))
	l.SetLimit(50)
	p, _ := l.TryAcquire(1)
	q, _ := l.TryAcquire(1)
	p.Release(inflight.Dropped)
	q.Release(inflight.Dropped)
	fmt.Println(l.Limit(), l.Stats().Dropped)
	// Output: 45 2
}

// The outcome of a call: deferred, it counts if nothing else is said before.
func ExamplePermit_Release() {
	l := inflight.New(1)
	call := func(ctx context.Context, do func() error) error {
		p, err := l.Acquire(ctx, 1)
		if err != nil {
			return err
		}
		defer p.Release(inflight.Ignored)
		switch err := do(); {
		case err == nil:
			p.Release(inflight.Success)
			return nil
		case errors.Is(err, context.DeadlineExceeded):
			p.Release(inflight.Dropped)
			return err
		default:
			return err
		}
	}
	fmt.Println(call(context.Background(), func() error { return nil }))
	fmt.Println(call(context.Background(), func() error { return context.DeadlineExceeded }))
	fmt.Println(l.Stats().Dropped, inflight.Outcome(inflight.Dropped))
	// Output:
	// <nil>
	// context deadline exceeded
	// 1 Dropped
}

type rankOf struct{}

// Requests of users go before those of batch jobs, which wait no more than a minute longer
// for that.
func ExampleWithPriority() {
	var option inflight.Option = inflight.WithPriority(time.Minute, func(ctx context.Context) int {
		rank, _ := ctx.Value(rankOf{}).(int)
		return rank
	})
	l := inflight.New(8, option)
	ctx := context.WithValue(context.Background(), rankOf{}, 1)
	p, err := l.Acquire(ctx, 1)
	fmt.Println(err)
	p.Release(inflight.Success)
	// Output: <nil>
}

// What can't be granted fails at once.
func ExampleLimiter_Acquire() {
	l := inflight.New(3)
	_, err := l.Acquire(context.Background(), 4)
	fmt.Println(errors.Is(err, inflight.ErrExceedsLimit), err)
	_ = l.Close()
	_, err = l.Acquire(context.Background(), 1)
	fmt.Println(errors.Is(err, inflight.ErrClosed), err)
	// Output:
	// true inflight: more weight than the limit: asked for 4, the limit is 3
	// true inflight: limiter closed
}

// A limit that changes while it is used, and what it does.
func ExampleLimiter_Stats() {
	l := inflight.New(2)
	p, _ := l.TryAcquire(2)
	l.SetLimit(1)
	var st inflight.Stats = l.Stats()
	fmt.Println(st.InFlight, st.Limit, st.Waiting, st.Waits, st.Dropped, st.Latency, st.Unloaded, st.Closed)
	p.Release(inflight.Success)
	// Output: 2 1 0 0 0 0s 0s false
}

// The workers of a pool follow a limiter. The pool has as many as the limit may become.
func ExampleLimited() {
	l := inflight.NewAdaptive(2, 64, inflight.Gradient())
	p := pool.New(64, inflight.Limited(l, func(_ context.Context, n int) (int, error) { return n * n, nil }, nil))
	sum := 0
	for square, err := range p.Map(context.Background(), func(yield func(int) bool) {
		for i := range 10 {
			if !yield(i) {
				return
			}
		}
	}) {
		if err != nil {
			fmt.Println(err)
		}
		sum += square
	}
	fmt.Println(sum, p.Close(), l.Stats().InFlight)
	// Output: 285 <nil> 0
}

// So do those of a stage of a pipeline, while it runs. A timeout lowers the limit.
func ExampleLimited_pipeline() {
	l := inflight.NewAdaptive(1, 64, inflight.AIMD(0))
	ask := inflight.Limited(l, func(_ context.Context, n int) (int, error) { return 2 * n, nil }, func(err error) inflight.Outcome {
		switch {
		case err == nil:
			return inflight.Success
		case errors.Is(err, context.DeadlineExceeded):
			return inflight.Dropped
		}
		return inflight.Ignored
	})
	values, err := pipeline.Map(ask, pipeline.WithWorkers(64)).Collect(context.Background(), pipeline.Values(1, 2, 3))
	fmt.Println(values, err)
	// Output: [2 4 6] <nil>
}
