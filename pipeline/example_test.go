package pipeline_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing/iotest"
	"time"

	"github.com/tandemgo/tandem/pipeline"
)

func times2(_ context.Context, n int) (int, error) { return 2 * n, nil }
func plus10(_ context.Context, n int) (int, error) { return n + 10, nil }

// Numbers, doubled, and ten added to each.
func Example() {
	s := pipeline.Then(pipeline.Map(times2), pipeline.Map(plus10))
	for v, err := range s.Run(context.Background(), pipeline.Values(1, 2, 3, 4, 5)) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(v)
	}
	// Output:
	// 12
	// 14
	// 16
	// 18
	// 20
}

// Generator, processors, consumer, with channels at both ends.
func ExampleStage_Execute() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()

	in := make(chan int) // the generator
	go func() {
		defer close(in)
		for n := range 5 {
			select {
			case in <- n + 1:
			case <-ctx.Done():
				return
			}
		}
	}()
	out, wait := pipeline.Then(pipeline.Map(times2), pipeline.Map(plus10)).Execute(ctx, in)
	for v := range out { // the consumer
		fmt.Println(v)
	}
	fmt.Println(wait())
	// Output:
	// 12
	// 14
	// 16
	// 18
	// 20
	// <nil>
}

// Stages change types, and compose into stages.
func ExampleThen() {
	parse := pipeline.Map(func(_ context.Context, s string) (int, error) { return strconv.Atoi(s) })
	format := pipeline.Map(func(_ context.Context, n int) (string, error) { return fmt.Sprintf("%03d", n), nil })
	s := pipeline.Then(pipeline.Then(parse, pipeline.Map(times2)), format)
	fmt.Println(s.Collect(context.Background(), pipeline.Values("4", "5")))
	// Output: [008 010] <nil>
}

// Eight downloads at a time, results in the order of the input.
func ExampleWithWorkers() {
	fetch := pipeline.Map(func(ctx context.Context, url string) (string, error) {
		return "body of " + url, nil // an http.Client would do it
	}, pipeline.WithWorkers(8), pipeline.WithName("fetch"))
	bodies, err := fetch.Collect(context.Background(), pipeline.Values("/a", "/b", "/c"))
	fmt.Println(bodies, err)
	// Output: [body of /a body of /b body of /c] <nil>
}

func ExampleUnordered() {
	s := pipeline.Map(times2, pipeline.WithWorkers(4), pipeline.Unordered())
	sum := 0
	for v := range s.Run(context.Background(), pipeline.Values(1, 2, 3)) {
		sum += v
	}
	fmt.Println(sum)
	// Output: 12
}

// Cancelling the context ends every stage; the error is the cause.
func ExampleStage_Run_cancellation() {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	naturals := func(yield func(int) bool) {
		for n := 0; yield(n); n++ {
		}
	}
	for v, err := range pipeline.Map(times2).Run(ctx, pipeline.Seq(naturals)) {
		if err != nil {
			fmt.Println("ended:", err)
		} else if v == 0 {
			cancel(errors.New("seen enough"))
		}
	}
	// Output: ended: seen enough
}

// Back-pressure: when the consumer stops, the source soon stops too. Buffer says
// how soon.
func ExampleStage_Buffer() {
	produced := 0
	numbers := func(yield func(int) bool) {
		for produced < 1000 && yield(produced) {
			produced++
		}
	}
	for range pipeline.Map(times2).Buffer(4).Run(context.Background(), pipeline.Seq(numbers)) {
		break // and the run is over: the source is not drained
	}
	fmt.Println(produced < 50)
	// Output: true
}

func ExampleFilter() {
	even := pipeline.Filter(func(_ context.Context, n int) (bool, error) { return n%2 == 0, nil })
	fmt.Println(even.Collect(context.Background(), pipeline.Values(1, 2, 3, 4)))
	// Output: [2 4] <nil>
}

func ExampleFlatMap() {
	words := pipeline.FlatMap(func(_ context.Context, line string, emit func(string) error) error {
		for w := range strings.FieldsSeq(line) {
			if err := emit(w); err != nil {
				return err
			}
		}
		return nil
	})
	fmt.Println(words.Collect(context.Background(), pipeline.Values("to be", "or not")))
	// Output: [to be or not] <nil>
}

func ExampleTap() {
	s := pipeline.Tap(func(n int) { fmt.Println("saw", n) })
	_, _ = s.Collect(context.Background(), pipeline.Values(1, 2))
	// Output:
	// saw 1
	// saw 2
}

// Take ends the stages before it, also when the source has no end.
func ExampleTake() {
	squares := pipeline.Map(func(_ context.Context, n int) (int, error) { return n * n, nil })
	fmt.Println(squares.Take(5).Collect(context.Background(), pipeline.Seq(func(yield func(int) bool) {
		for n := 1; yield(n); n++ {
		}
	})))
	// Output: [1 4 9 16 25] <nil>
}

// Rows come two at a time, or when the first of them is a second old.
func ExampleBatch() {
	s := pipeline.Batch[string](2, time.Second)
	fmt.Println(s.Collect(context.Background(), pipeline.Values("a", "b", "c")))
	// Output: [[a b] [c]] <nil>
}

func ExampleUnbatch() {
	s := pipeline.Unbatch[int]()
	fmt.Println(s.Collect(context.Background(), pipeline.Seq(slices.Values([][]int{{1, 2}, nil, {3}}))))
	// Output: [1 2 3] <nil>
}

// Throttle takes the Wait method of a rate limiter, or anything like it.
func ExampleThrottle() {
	turns := 0
	wait := func(context.Context) error { turns++; return nil }
	_, err := pipeline.Throttle[int](wait).Collect(context.Background(), pipeline.Values(1, 2, 3))
	fmt.Println(turns, err)
	// Output: 3 <nil>
}

func ExampleWithRetry() {
	calls := 0
	s := pipeline.Map(func(context.Context, string) (string, error) {
		if calls++; calls < 3 {
			return "", errors.New("busy")
		}
		return fmt.Sprintf("after %d calls", calls), nil
	}, pipeline.WithRetry(pipeline.RetryPolicy{Attempts: 5, Delay: time.Millisecond, MaxDelay: time.Second}))
	fmt.Println(s.Collect(context.Background(), pipeline.Values("job")))
	// Output: [after 3 calls] <nil>
}

// What is busy is asked again, what is not there is not.
func ExamplePermanent() {
	calls := 0
	s := pipeline.Map(func(context.Context, string) (string, error) {
		calls++
		return "", pipeline.Permanent(errors.New("no such page"))
	}, pipeline.WithRetry(pipeline.RetryPolicy{Attempts: 5}))
	_, err := s.Collect(context.Background(), pipeline.Values("page"))
	fmt.Println(calls, err)
	// Output: 1 pipeline: stage "map": item 0: no such page
}

// Lines that are no numbers are reported and skipped. A number that is too large ends the
// run.
func ExampleWithErrorHandler() {
	parse := pipeline.Map(func(_ context.Context, s string) (int, error) { return strconv.Atoi(s) },
		pipeline.WithErrorHandler(func(err error) pipeline.ErrorAction {
			if errors.Is(err, strconv.ErrRange) {
				return pipeline.Stop
			}
			fmt.Println("skipped:", err)
			return pipeline.Skip
		}))
	fmt.Println(parse.Collect(context.Background(), pipeline.Values("1", "two", "3")))
	// Output:
	// skipped: strconv.Atoi: parsing "two": invalid syntax
	// [1 3] <nil>
}

func ExampleWithTimeout() {
	s := pipeline.Map(func(ctx context.Context, _ string) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	}, pipeline.WithTimeout(time.Millisecond), pipeline.WithName("slow"))
	_, err := s.Collect(context.Background(), pipeline.Values("x"))
	fmt.Println(err)
	// Output: pipeline: stage "slow": item 0: no result within 1ms: context deadline exceeded
}

// An error says where it happened.
func ExampleStageError() {
	parse := pipeline.Map(func(_ context.Context, s string) (int, error) { return strconv.Atoi(s) }, pipeline.WithName("parse"))
	_, err := parse.Collect(context.Background(), pipeline.Values("1", "two"))
	if se, ok := errors.AsType[*pipeline.StageError](err); ok {
		fmt.Println(se.Stage, se.Index, errors.Is(err, strconv.ErrSyntax))
	}
	fmt.Println(err)
	// Output:
	// parse 1 true
	// pipeline: stage "parse": item 1: strconv.Atoi: parsing "two": invalid syntax
}

// A panic is an error with a stack.
func ExamplePanicError() {
	s := pipeline.Map(func(_ context.Context, xs []int) (int, error) { return xs[0], nil })
	_, err := s.Collect(context.Background(), pipeline.Seq(slices.Values([][]int{{7}, nil})))
	pe, ok := errors.AsType[*pipeline.PanicError](err)
	fmt.Println(ok, pe.Value)
	// Output: true runtime error: index out of range [0] with length 0
}

func ExampleStage_ForEach() {
	err := pipeline.Map(times2).ForEach(context.Background(), pipeline.Values(1, 2),
		func(_ context.Context, n int) error {
			fmt.Println(n)
			return nil
		})
	fmt.Println(err)
	// Output:
	// 2
	// 4
	// <nil>
}

// A source that can fail ends the run with its error.
func ExampleSeq2() {
	file := io.MultiReader(strings.NewReader("a line\nanother line\n"), iotest.ErrReader(errors.New("disk on fire")))
	lines := func(yield func(string, error) bool) {
		in := bufio.NewScanner(file)
		for in.Scan() {
			if !yield(in.Text(), nil) {
				return
			}
		}
		if err := in.Err(); err != nil {
			yield("", err)
		}
	}
	s := pipeline.Map(func(_ context.Context, s string) (int, error) { return len(s), nil })
	var err error
	for _, err = range s.Run(context.Background(), pipeline.Seq2(lines)) {
	}
	fmt.Println(err)
	// Output: pipeline: stage "source": item 2: disk on fire
}

func ExampleStage_Mermaid() {
	s := pipeline.Then(pipeline.Map(times2, pipeline.WithWorkers(8), pipeline.WithName("fetch")), pipeline.Batch[int](100, time.Second))
	fmt.Print(s.Mermaid())
	// Output:
	// flowchart LR
	//     s0["fetch(8 workers)"]
	//     s1["batch(100, 1s)"]
	//     s0 --> s1
}

func ExampleObserver() {
	var o pipeline.Observer
	s := pipeline.Map(times2).
		Filter(func(_ context.Context, n int) (bool, error) { return n > 4, nil }).
		Observe(&o)
	_, _ = s.Collect(context.Background(), pipeline.Values(1, 2, 3, 4))
	fmt.Println(o.Stats())
	fmt.Println("dropped:", o.Stats().Stage("filter").Skipped)
	// Output:
	// map: in 4, done 4, skipped 0, failed 0, discarded 0, out 4
	// filter: in 4, done 2, skipped 2, failed 0, discarded 0, out 2
	// dropped: 2
}
