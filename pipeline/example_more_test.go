package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/ratelimit"
)

// A source that delivers in bursts fills the buffer while the next stage works,
// which then has something to do while the source is silent.
func ExampleBuffer() {
	s := pipeline.Then(pipeline.Buffer[int](100), pipeline.Map(times2, pipeline.WithName("slow")))
	fmt.Println(s)
	fmt.Println(s.Collect(context.Background(), pipeline.Values(1, 2, 3)))
	// Output:
	// buffer(100) → slow
	// [2 4 6] <nil>
}

// A limiter between two stages: the second one gets five numbers at once, and then
// one in each millisecond.
func ExampleStage_Throttle() {
	limiter := ratelimit.New(ratelimit.Every(time.Millisecond), 5)
	start := time.Now()
	n, err := pipeline.Map(times2).Throttle(limiter.Wait).Collect(context.Background(), pipeline.Seq(slices.Values(make([]int, 8))))
	fmt.Println(len(n), err, time.Since(start) >= 3*time.Millisecond)
	// Output: 8 <nil> true
}

// A key without a branch is an error, since the item would be lost. A branch for
// all other keys is the answer: the key function says which that is.
func ExampleErrNoBranch() {
	letters := map[string]pipeline.Stage[string, string]{
		"urgent": pipeline.Map(func(_ context.Context, s string) (string, error) { return s + " by car", nil }),
		"other":  pipeline.Map(func(_ context.Context, s string) (string, error) { return s + " by bike", nil }),
	}
	_, err := pipeline.Split(func(kind string) string { return kind }, letters).
		Collect(context.Background(), pipeline.Seq(slices.Values([]string{"parcel"})))
	fmt.Println(errors.Is(err, pipeline.ErrNoBranch))

	sent, err := pipeline.Split(func(kind string) string {
		if _, ok := letters[kind]; !ok {
			return "other"
		}
		return kind
	}, letters).Collect(context.Background(), pipeline.Values("parcel"))
	fmt.Println(sent, err)
	// Output:
	// true
	// [parcel by bike] <nil>
}

// A function that ends its goroutine, as t.FailNow does in a test, ends the run
// with an error like any other.
func ExampleErrGoexit() {
	s := pipeline.Map(func(context.Context, int) (int, error) { runtime.Goexit(); return 0, nil })
	_, err := s.Collect(context.Background(), pipeline.Values(1))
	fmt.Println(errors.Is(err, pipeline.ErrGoexit))
	// Output: true
}

// last works on a batch of anything: T follows from B.
func last[B pipeline.SliceOf[T], T any](batch B) T { return batch[len(batch)-1] }

func ExampleSliceOf() {
	s := pipeline.Then(pipeline.Batch[int](3, 0),
		pipeline.Map(func(_ context.Context, batch []int) (int, error) { return last(batch), nil }))
	fmt.Println(s.Collect(context.Background(), pipeline.Values(1, 2, 3, 4, 5)))
	// Output: [3 5] <nil>
}

// How the stages that an observer watches are connected, for a picture of one's own.
func ExampleObserver_Edges() {
	upper := pipeline.Map(func(_ context.Context, s string) (string, error) { return strings.ToUpper(s), nil }, pipeline.WithName("upper"))
	size := pipeline.Map(func(_ context.Context, s string) (int, error) { return len(s), nil }, pipeline.WithName("size"))
	var o pipeline.Observer
	_ = pipeline.Then(upper, size).Observe(&o)
	stats := o.Stats()
	for _, e := range o.Edges() {
		fmt.Println(stats[e.From].Name, "→", stats[e.To].Name)
	}
	// Output: upper → size
}
