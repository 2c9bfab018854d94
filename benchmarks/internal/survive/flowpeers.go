package survive

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/samber/lo"
	"github.com/samber/lo/parallel"
	"github.com/samber/ro"
	conciter "github.com/sourcegraph/conc/iter"
	"github.com/sourcegraph/conc/stream"

	"github.com/tandemgo/tandem/fan"
	"github.com/tandemgo/tandem/pipeline"
)

// A mapper calls fn for each of the items 0 … n-1, on the given number of workers if
// the library supports it, and returns the results.
type mapper func(workers, n int, fn func(int) int) ([]int, error)

var mappers = map[string]mapper{
	tandem: func(workers, n int, fn func(int) int) ([]int, error) {
		return pipeline.Map(func(_ context.Context, v int) (int, error) { return fn(v), nil }, pipeline.WithWorkers(workers)).
			Collect(context.Background(), pipeline.Seq(numbers(n)))
	},
	"tandem-fan": func(workers, n int, fn func(int) int) (got []int, failed error) {
		for v, err := range fan.Seq(context.Background(), workers, numbers(n), func(_ context.Context, v int) (int, error) { return fn(v), nil }) {
			got, failed = append(got, v), errors.Join(failed, err)
		}
		return got, failed
	},
	"conc": func(workers, n int, fn func(int) int) ([]int, error) {
		return conciter.Mapper[int, int]{MaxGoroutines: workers}.
			Map(slices.Collect(numbers(n)), func(v *int) int { return fn(*v) }), nil
	},
	"conc-stream": func(workers, n int, fn func(int) int) (got []int, _ error) {
		s := stream.New().WithMaxGoroutines(workers)
		for i := range n {
			s.Go(func() stream.Callback { v := fn(i); return func() { got = append(got, v) } })
		}
		s.Wait()
		return got, nil
	},
	"lo": func(_, n int, fn func(int) int) ([]int, error) {
		return parallel.Map(slices.Collect(numbers(n)), func(v, _ int) int { return fn(v) }), nil
	},
	"ro": func(_, n int, fn func(int) int) ([]int, error) {
		return ro.Collect(ro.Pipe2(ro.Just(slices.Collect(numbers(n))...), ro.Map(fn), ro.ObserveOn[int](10)))
	},
	byHand: func(workers, n int, fn func(int) int) (got []int, _ error) {
		queue, results := make(chan int), make(chan int)
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for v := range queue {
					results <- fn(v)
				}
			})
		}
		go func() {
			for v := range numbers(n) {
				queue <- v
			}
			close(queue)
			wg.Wait()
			close(results)
		}()
		for v := range results {
			got = append(got, v)
		}
		return got, nil
	},
}

// takers read n results of two stages after an endless source, and leave.
var takers = map[string]func(n int) (got int){
	tandem: func(n int) int {
		one := pipeline.Map(func(_ context.Context, v int) (int, error) { return v, nil })
		return first(n, pipeline.Then(one, one).Run(context.Background(), pipeline.Seq(numbers(endless))))
	},
	"tandem-fan": func(n int) int {
		return first(n, fan.Seq(context.Background(), 2, numbers(endless), func(_ context.Context, v int) (int, error) { return v, nil }))
	},
	byHand: func(n int) int { // with a context, which is correct
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		return takeStages(ctx, n)
	},
	byClassic: func(n int) int { // without one, as is common
		return takeStages(context.Background(), n)
	},
	"ro": func(n int) int {
		got, _ := ro.Collect(ro.Pipe2(ro.Interval(time.Millisecond), ro.Map(func(v int64) int64 { return v }), ro.Take[int64](int64(n))))
		return len(got)
	},
}

// first leaves a walk after n items, and returns their number.
func first(n int, walk iter.Seq2[int, error]) (got int) {
	for _, err := range walk {
		if got++; got == n || err != nil {
			break
		}
	}
	return got
}

func takeStages(ctx context.Context, n int) (got int) {
	source := make(chan int)
	go func() {
		defer close(source)
		for v := range numbers(endless) {
			select {
			case source <- v:
			case <-ctx.Done():
				return
			}
		}
	}()
	for range stage(ctx, stage(ctx, source)) {
		if got++; got == n {
			break
		}
	}
	return got
}

func stage(ctx context.Context, in <-chan int) <-chan int {
	out := make(chan int)
	go func() {
		defer close(out)
		for v := range in {
			select {
			case out <- v:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// A batcher makes batches of the items of a channel, until it is closed.
type batcher func(in chan int, size int, age time.Duration, yield func([]int))

var batchers = map[string]batcher{
	tandem: func(in chan int, size int, age time.Duration, yield func([]int)) {
		out, wait := pipeline.Batch[int](size, age).Execute(context.Background(), in)
		for b := range out {
			yield(b)
		}
		_ = wait()
	},
	"lo": func(in chan int, size int, age time.Duration, yield func([]int)) {
		for more := true; more; {
			var b []int
			b, _, _, more = lo.BufferWithTimeout(in, size, age)
			yield(b)
		}
	},
	"ro": func(in chan int, size int, age time.Duration, yield func([]int)) {
		done := make(chan struct{})
		ro.Pipe1(ro.FromChannel(in), ro.BufferWithTimeOrCount[int](size, age)).
			Subscribe(ro.NewObserver(yield, func(error) { close(done) }, func() { close(done) }))
		<-done
	},
}

// idleFlows call fn for the items of a channel and return the first error.
var idleFlows = map[string]func(in <-chan int, fn func(int) (int, error)) error{
	tandem: func(in <-chan int, fn func(int) (int, error)) error {
		out, wait := pipeline.Map(func(_ context.Context, v int) (int, error) { return fn(v) }).Execute(context.Background(), in)
		for range out {
		}
		return wait()
	},
	"ro": func(in <-chan int, fn func(int) (int, error)) error {
		_, err := ro.Collect(ro.Pipe1(ro.FromChannel(in), ro.MapErr(fn)))
		return err
	},
	byHand: func(in <-chan int, fn func(int) (int, error)) error {
		for v := range in {
			if _, err := fn(v); err != nil {
				return err
			}
		}
		return nil
	},
}
