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

	"github.com/tandemgo/tandem/fan"
)

// fans are the scenarios of fan-out and fan-in.
var fans = slices.Concat(
	each("FF2", but(mappers, tandem, byHand), func(run mapper) error {
		got, err := run(3, 9, func(v int) int { time.Sleep(time.Duration(9-v) * time.Second); return v })
		if err == nil && !slices.Equal(got, slices.Collect(numbers(9))) {
			err = fmt.Errorf("inputs 0 … 8 have the results %v", got)
		}
		return err
	}, nil),
	each("FF3", failing, errorFromAnywhere, nil),
	each("FF10", tees, readOutOfTurn, nil),
	each("FF11", walks, lazyAndRepeatable, nil),
	each("FF12", merges, nilAndClosed, nil),
)

// failing are the groups of FP11 that are for fan-out, too, and those that are for nothing
// else.
var failing = map[string]group{
	"errgroup": groups["errgroup"],
	"conc":     groups["conc"],
	"tandem-fan": func(workers int, tasks ...func(context.Context) error) error {
		_, err := fan.Map(context.Background(), workers, tasks, func(ctx context.Context, fn func(context.Context) error) (int, error) { return 0, fn(ctx) })
		return err
	},
	"conc-iter": func(workers int, tasks ...func(context.Context) error) error {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		_, err := conciter.Mapper[func(context.Context) error, int]{MaxGoroutines: workers}.MapErr(tasks, func(fn *func(context.Context) error) (int, error) {
			err := (*fn)(ctx)
			if err != nil {
				cancel() // the library does not stop the others itself
			}
			return 0, err
		})
		return err
	},
}

// errorFromAnywhere: one of four functions fails, at each index in turn, and the others
// end when their context does.
func errorFromAnywhere(run group) error {
	for bad := range 4 {
		tasks := slices.Repeat([]func(context.Context) error{func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}, 4)
		tasks[bad] = func(context.Context) error { time.Sleep(time.Second); return errReal }
		if err := run(4, tasks...); !errors.Is(err, errReal) {
			return fmt.Errorf("the error of item %d is %w", bad, err)
		}
	}
	return nil
}

// tees pass each item to two branches with room for one.
var tees = map[string]func(in <-chan int) []<-chan int{
	"tandem-fan": func(in <-chan int) []<-chan int { return fan.Tee(context.Background(), in, 2) },
	"lo":         func(in <-chan int) []<-chan int { return lo.FanOut(2, 1, in) },
}

// readOutOfTurn reads the branches in varying order, at most one item apart.
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

// walks make an iteration over calls of fn for three items, and return a function that
// iterates.
var walks = map[string]func(fn func(int) int) (walk func() []int){
	"tandem-fan": func(fn func(int) int) func() []int {
		seq := fan.Seq(context.Background(), 2, numbers(3), func(_ context.Context, v int) (int, error) { return fn(v), nil })
		return func() (got []int) {
			for v, err := range seq {
				if err == nil {
					got = append(got, v)
				}
			}
			return got
		}
	},
	"ro": func(fn func(int) int) func() []int {
		o := ro.Pipe1(ro.Just(0, 1, 2), ro.Map(fn))
		return func() []int { got, _ := ro.Collect(o); return got }
	},
	byHand: func(fn func(int) int) func() []int {
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

// lazyAndRepeatable: no function is called before the first iteration, and the second
// gives the same items.
func lazyAndRepeatable(open func(func(int) int) func() []int) error {
	begun := make(chan int, 100)
	walk := open(func(v int) int { begun <- v; return v })
	settle()
	early := len(begun) > 0
	first, second := walk(), walk()
	if early {
		return errors.New("it begins before the first read")
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

// nilAndClosed: nil and closed channels are ignored; without channels the result is
// closed.
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
