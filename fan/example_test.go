package fan_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tandemgo/tandem/fan"
)

// A hundred numbers, squared by five workers, and brought together again.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()

	in := make(chan int)
	go func() {
		defer close(in)
		for i := 1; i <= 100; i++ {
			in <- i
		}
	}()
	outs := fan.Out(ctx, in, 5, func(_ context.Context, n int) (int, error) { return n * n, nil })

	n, sum := 0, 0
	for r := range fan.In(ctx, outs...) {
		if r.Err != nil {
			fmt.Println(r.Err)
			return
		}
		n++
		sum += r.Value
	}
	fmt.Println(n, "squares, sum", sum)
	// Output: 100 squares, sum 338350
}

// A consumer that leaves early ends the context, and nothing is left behind.
func ExampleOut_cancellation() {
	ctx, cancel := context.WithCancel(context.Background())
	in := make(chan int) // never closed
	go func() {
		for n := 0; ; n++ {
			select {
			case in <- n:
			case <-ctx.Done():
				return
			}
		}
	}()
	results := fan.In(ctx, fan.Out(ctx, in, 3, func(_ context.Context, n int) (int, error) { return n, nil })...)
	<-results
	cancel()
	for range results { // closed soon
	}
	fmt.Println(context.Cause(ctx))
	// Output: context canceled
}

func ExampleIn() {
	letters := func(s string) <-chan rune {
		ch := make(chan rune, len(s))
		for _, r := range s {
			ch <- r
		}
		close(ch)
		return ch
	}
	var got []rune
	for r := range fan.In(context.Background(), letters("abc"), nil, letters("xyz")) {
		got = append(got, r)
	}
	slices.Sort(got)
	fmt.Println(string(got))
	// Output: abcxyz
}

func ExampleTee() {
	in := make(chan string, 2)
	in <- "one"
	in <- "two"
	close(in)
	branches := fan.Tee(context.Background(), in, 2)
	var wg sync.WaitGroup
	var lengths, upper []string
	wg.Go(func() {
		for s := range branches[0] {
			lengths = append(lengths, fmt.Sprint(len(s)))
		}
	})
	wg.Go(func() {
		for s := range branches[1] {
			upper = append(upper, strings.ToUpper(s))
		}
	})
	wg.Wait()
	fmt.Println(lengths, upper)
	// Output: [3 3] [ONE TWO]
}

// Events of one user stay in order, those of different users run in parallel.
func ExamplePartition() {
	type event struct {
		user string
		n    int
	}
	in := make(chan event)
	go func() {
		defer close(in)
		for n := range 3 {
			in <- event{"ann", n}
			in <- event{"bob", n}
		}
	}()
	var mu sync.Mutex
	of := map[string][]int{}
	var wg sync.WaitGroup
	for _, part := range fan.Partition(context.Background(), in, 2, func(e event) string { return e.user }) {
		wg.Go(func() {
			for e := range part {
				mu.Lock()
				of[e.user] = append(of[e.user], e.n)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	fmt.Println(of)
	// Output: map[ann:[0 1 2] bob:[0 1 2]]
}

func ExampleMap() {
	lengths, err := fan.Map(context.Background(), 4, []string{"to", "the", "point"},
		func(_ context.Context, s string) (int, error) { return len(s), nil })
	fmt.Println(lengths, err)
	// Output: [2 3 5] <nil>
}

// The first error is returned; what was done by then is there.
func ExampleMap_error() {
	quotients, err := fan.Map(context.Background(), 1, []int{1, 2, 0, 4},
		func(_ context.Context, n int) (int, error) {
			if n == 0 {
				return 0, errors.New("division by zero")
			}
			return 100 / n, nil
		})
	fmt.Println(quotients, err)
	// Output: [100 50 0 0] task 2: division by zero (elements not started: 1)
}

// An error names the element; elements that never started are listed, too.
func ExampleTaskError() {
	_, err := fan.Map(context.Background(), 1, []string{"a", "b", "c", "d"},
		func(_ context.Context, s string) (int, error) {
			if s == "b" {
				return 0, errors.New("bad letter")
			}
			return len(s), nil
		})
	first, _ := errors.AsType[*fan.TaskError](err)
	fmt.Println(first.Index, first.Err)
	for _, err := range err.(interface{ Unwrap() []error }).Unwrap()[1:] {
		missing, _ := errors.AsType[*fan.TaskError](err)
		fmt.Println(missing.Index, errors.Is(err, fan.ErrNotStarted))
	}
	// Output:
	// 1 bad letter
	// 2 true
	// 3 true
}

// A context that ends before the work has begun is an error of its own.
func ExampleErrNotStarted() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := fan.ForEach(ctx, 4, slices.Values([]int{1, 2, 3}), func(context.Context, int) error { return nil })
	fmt.Println(errors.Is(err, fan.ErrNotStarted), errors.Is(err, context.Canceled))
	// Output: true true
}

func ExampleForEach() {
	var mu sync.Mutex
	var done []string
	err := fan.ForEach(context.Background(), 3, slices.Values([]string{"a", "b", "c"}),
		func(_ context.Context, s string) error {
			mu.Lock()
			defer mu.Unlock()
			done = append(done, s)
			return nil
		})
	slices.Sort(done)
	fmt.Println(done, err)
	// Output: [a b c] <nil>
}

// A few functions that have nothing in common, all of which are to succeed.
func ExampleForEach_functions() {
	migrate := func(context.Context) error { return nil }
	warmUp := func(context.Context) error { return errors.New("cache is not there") }
	steps := []func(context.Context) error{migrate, warmUp}
	err := fan.ForEach(context.Background(), len(steps), slices.Values(steps),
		func(ctx context.Context, step func(context.Context) error) error { return step(ctx) })
	fmt.Println(err)
	// Output: task 1: cache is not there
}

// Results in the order of the input, each with its own error.
func ExampleSeq() {
	fetch := func(_ context.Context, path string) (string, error) {
		if path == "/gone" {
			return "", errors.New("404")
		}
		return "page " + path, nil
	}
	for page, err := range fan.Seq(context.Background(), 8, slices.Values([]string{"/a", "/gone", "/c"}), fetch) {
		fmt.Println(page, err)
	}
	// Output:
	// page /a <nil>
	//  task 1: 404
	// page /c <nil>
}

func ExampleUnordered() {
	double := func(_ context.Context, n int) (int, error) { return 2 * n, nil }
	sum := 0
	for v := range fan.Seq(context.Background(), 4, slices.Values([]int{1, 2, 3}), double, fan.Unordered()) {
		sum += v
	}
	fmt.Println(sum)
	// Output: 12
}

// One request at a time for each host, several hosts at once.
func ExampleByKey() {
	urls := []string{"a.example/1", "b.example/1", "a.example/2", "b.example/2"}
	host := func(u string) string { return u[:strings.Index(u, "/")] }
	of := map[string][]string{}
	for u, err := range fan.ByKey(context.Background(), 4, slices.Values(urls), host,
		func(_ context.Context, u string) (string, error) { return u, nil }) {
		if err == nil {
			of[host(u)] = append(of[host(u)], u)
		}
	}
	fmt.Println(of["a.example"], of["b.example"])
	// Output: [a.example/1 a.example/2] [b.example/1 b.example/2]
}

// The first of several mirrors to answer wins.
func ExampleFirst() {
	mirror := func(name string, up bool) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) {
			if !up {
				<-ctx.Done() // hangs until another one has won
				return "", ctx.Err()
			}
			return "from " + name, nil
		}
	}
	fmt.Println(fan.First(context.Background(), mirror("east", false), mirror("west", true)))
	// Output: from west <nil>
}

// Two of three replicas must agree to answer at all.
func ExampleQuorum() {
	replica := func(v int, err error) func(context.Context) (int, error) {
		return func(context.Context) (int, error) { return v, err }
	}
	down := errors.New("replica is down")
	vs, err := fan.Quorum(context.Background(), 2, replica(7, nil), replica(0, down), replica(7, nil))
	fmt.Println(vs, err)
	_, err = fan.Quorum(context.Background(), 2, replica(7, nil), replica(0, down), replica(0, down))
	fmt.Println(errors.Is(err, fan.ErrNoQuorum), errors.Is(err, down))
	// Output:
	// [7 7] <nil>
	// true true
}

// Words are counted in parallel.
func ExampleReduce() {
	lines := []string{"a rose is", "a rose is", "a rose"}
	counts, err := fan.Reduce(context.Background(), 4, lines,
		func() map[string]int { return map[string]int{} },
		func(m map[string]int, line string) (map[string]int, error) {
			for w := range strings.FieldsSeq(line) {
				m[w]++
			}
			return m, nil
		},
		func(a, b map[string]int) map[string]int {
			for w, n := range b {
				a[w] += n
			}
			return a
		})
	fmt.Println(counts, err)
	// Output: map[a:3 is:2 rose:3] <nil>
}

// A panic is an error with a stack.
func ExamplePanicError() {
	_, err := fan.Map(context.Background(), 2, [][]int{{1}, nil},
		func(_ context.Context, xs []int) (int, error) { return xs[0], nil })
	pe, ok := errors.AsType[*fan.PanicError](err)
	fmt.Println(ok, pe.Value)
	// Output: true runtime error: index out of range [0] with length 0
}
