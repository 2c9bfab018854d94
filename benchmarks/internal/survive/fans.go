package survive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/samber/lo"
	"github.com/samber/ro"
	conciter "github.com/sourcegraph/conc/iter"
	concpool "github.com/sourcegraph/conc/pool"
	"golang.org/x/sync/errgroup"

	"github.com/tandemgo/tandem/fan"
)

// fans are what is asked about fan-out and fan-in.
var fans = slices.Concat(
	each("FF2", but(mappers, tandem, channels), func(run mapper) error {
		got, err := run(3, 9, func(v int) int { time.Sleep(time.Duration(9-v) * time.Second); return v })
		if err == nil && !slices.Equal(got, slices.Collect(numbers(9))) {
			err = fmt.Errorf("inputs 0 … 8 have the results %v", got)
		}
		return err
	}, nil),
	each("FF3", failures, errorFromAnywhere, nil),
	each("FF10", tees, readOutOfTurn, nil),
	each("FF11", walks, lazyAndRepeatable, nil),
	each("FF12", merges, nilAndClosed, nil),
)

// failures call fn for the items 0 … n-1, and return its first error.
var failures = map[string]func(n int, fn func(context.Context, int) error) error{
	"tandem-fan": func(n int, fn func(context.Context, int) error) error {
		_, err := fan.Map(context.Background(), 4, slices.Collect(numbers(n)), func(ctx context.Context, v int) (int, error) { return v, fn(ctx, v) })
		return err
	},
	"conc": func(n int, fn func(context.Context, int) error) error {
		p := concpool.NewWithResults[int]().WithMaxGoroutines(4).WithContext(context.Background()).WithCancelOnError().WithFirstError()
		for i := range n {
			p.Go(func(ctx context.Context) (int, error) { return i, fn(ctx, i) })
		}
		_, err := p.Wait()
		return err
	},
	"conc-iter": func(n int, fn func(context.Context, int) error) error {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		_, err := conciter.Mapper[int, int]{MaxGoroutines: 4}.MapErr(slices.Collect(numbers(n)), func(v *int) (int, error) {
			err := fn(ctx, *v)
			if err != nil {
				cancel() // it stops nobody itself
			}
			return *v, err
		})
		return err
	},
	"errgroup": func(n int, fn func(context.Context, int) error) error {
		g, ctx := errgroup.WithContext(context.Background())
		g.SetLimit(4)
		for i := range n {
			g.Go(func() error { return fn(ctx, i) })
		}
		return g.Wait()
	},
}

// errorFromAnywhere: one of four fails, at each place, and the others end when they
// are stopped.
func errorFromAnywhere(run func(int, func(context.Context, int) error) error) error {
	for bad := range 4 {
		err := run(4, func(ctx context.Context, v int) error {
			if v == bad {
				time.Sleep(time.Second)
				return errReal
			}
			<-ctx.Done()
			return ctx.Err()
		})
		if !errors.Is(err, errReal) {
			return fmt.Errorf("the error of item %d is %w", bad, err)
		}
	}
	return nil
}

// tees hand each item to two branches, which have room for one.
var tees = map[string]func(in <-chan int) []<-chan int{
	"tandem-fan": func(in <-chan int) []<-chan int { return fan.Tee(context.Background(), in, 2) },
	"lo":         func(in <-chan int) []<-chan int { return lo.FanOut(2, 1, in) },
}

// readOutOfTurn reads the branches in turns that change, an item apart.
func readOutOfTurn(tee func(<-chan int) []<-chan int) error {
	in := make(chan int)
	go func() {
		defer close(in)
		for v := range numbers(20) {
			in <- v
		}
	}()
	branches := tee(in)
	for v := range numbers(20) {
		for i := range branches {
			if got := <-branches[(v+i)%2]; got != v {
				return fmt.Errorf("a branch has %d, want %d", got, v)
			}
		}
	}
	return nil
}

// walks make a walk of calls of fn for three items, and return what walks.
var walks = map[string]func(fn func(int) int) (walk func() []int){
	"tandem-fan": func(fn func(int) int) func() []int {
		seq := fan.Seq(context.Background(), 2, numbers(3), func(_ context.Context, v int) (int, error) { return fn(v), nil })
		return func() (got []int) {
			for v := range seq {
				got = append(got, v)
			}
			return got
		}
	},
	"ro": func(fn func(int) int) func() []int {
		o := ro.Pipe1(ro.Just(0, 1, 2), ro.Map(fn))
		return func() []int { got, _ := ro.Collect(o); return got }
	},
	channels: func(fn func(int) int) func() []int {
		out := make(chan int)
		go func() {
			defer close(out)
			for v := range numbers(3) {
				out <- fn(v)
			}
		}()
		return func() []int { return lo.ChannelToSlice(out) }
	},
}

// lazyAndRepeatable: nothing is called before the first walk, and the second is
// like it.
func lazyAndRepeatable(open func(func(int) int) func() []int) error {
	begun := make(chan int, 100)
	walk := open(func(v int) int { begun <- v; return v })
	settle()
	early := len(begun) > 0
	first, second := walk(), walk()
	if early {
		return errors.New("it begins before anybody reads")
	}
	if !slices.Equal(first, second) {
		return fmt.Errorf("the first walk has %v, the second %v", first, second)
	}
	return nil
}

// merges merge channels.
var merges = map[string]func(ins ...<-chan int) <-chan int{
	"tandem-fan": func(ins ...<-chan int) <-chan int { return fan.In(context.Background(), ins...) },
	"lo":         func(ins ...<-chan int) <-chan int { return lo.FanIn(1, ins...) },
}

// nilAndClosed: a nil and a closed channel do not count; none are an end.
func nilAndClosed(merge func(...<-chan int) <-chan int) error {
	for range merge() {
		return errors.New("an item out of nothing")
	}
	closed, in := make(chan int), make(chan int, 3)
	close(closed)
	for v := range numbers(3) {
		in <- v
	}
	close(in)
	got := 0
	for range merge(nil, closed, in) {
		got++
	}
	if got != 3 {
		return fmt.Errorf("%d of 3 items", got)
	}
	return nil
}
