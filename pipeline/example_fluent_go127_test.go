//go:build go1.27

package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tandemgo/tandem/pipeline"
)

// Eight products are fetched at a time, in order, those without a price are
// dropped, and the prices of the others stored a hundred at a time, or when the first
// of them is a second old, by two writers. The first error ends it all.
func ExampleStage_Map() {
	shop := newShop()
	defer shop.Close()

	load := pipeline.Map(getFrom(shop), pipeline.WithWorkers(8), pipeline.WithName("fetch")).
		Map(parsePrice, pipeline.WithName("parse")).
		Filter(hasPrice).
		Batch(100, time.Second).
		Map(storePrices, pipeline.WithWorkers(2), pipeline.WithName("store"))

	total := 0
	err := load.ForEach(context.Background(), pipeline.Seq(productURLs(shop, 250)), func(_ context.Context, n int) error {
		total += n
		return nil
	})
	fmt.Println(total, "stored, error:", err)
	fmt.Println(load)
	// Output:
	// 200 stored, error: <nil>
	// fetch(8 workers) → parse → filter → batch(100, 1s) → store(2 workers)
}

func ExampleStage_FlatMap() {
	countdown := pipeline.Map(times2).FlatMap(func(_ context.Context, n int, emit func(string) error) error {
		for ; n > 0; n-- {
			if err := emit(strconv.Itoa(n)); err != nil {
				return err
			}
		}
		return nil
	})
	fmt.Println(countdown.Collect(context.Background(), pipeline.Values(1, 2)))
	// Output: [2 1 4 3 2 1] <nil>
}

// Then is the way to a stage that is there already, or has no method.
func ExampleStage_Then() {
	repeat := pipeline.Map(func(_ context.Context, n int) ([]int, error) { return slices.Repeat([]int{n}, n), nil })
	all := repeat.Then(pipeline.Unbatch[int]())
	fmt.Println(all.Collect(context.Background(), pipeline.Values(1, 2, 3)))
	// Output: [1 2 2 3 3 3] <nil>
}

// Two cheap stages on one goroutine: the + says so.
func ExampleStage_Fuse() {
	s := pipeline.Map(times2).Fuse(pipeline.Map(plus10))
	fmt.Println(s)
	fmt.Println(s.Collect(context.Background(), pipeline.Values(1, 2)))
	// Output:
	// map + map
	// [12 14] <nil>
}

func ExampleStage_Batch() {
	s := pipeline.Map(times2).Batch(2, 0)
	fmt.Println(s.Collect(context.Background(), pipeline.Values(1, 2, 3)))
	// Output: [[2 4] [6]] <nil>
}

// Small numbers are doubled, and ten is added to the others.
func ExampleStage_Split() {
	s := pipeline.Map(times2).Split(func(n int) bool { return n < 10 }, map[bool]pipeline.Stage[int, int]{
		true:  pipeline.Map(times2),
		false: pipeline.Map(plus10),
	})
	all, err := s.Collect(context.Background(), pipeline.Values(1, 5, 2, 6))
	slices.Sort(all) // the two branches come as they are ready
	fmt.Println(all, err)
	// Output: [4 8 20 22] <nil>
}

// Words with the same first letter stay in order.
func ExampleStage_ByKey() {
	trim := func(_ context.Context, w string) (string, error) { return strings.TrimSpace(w), nil }
	upper := func(_ context.Context, w string) (string, error) { return strings.ToUpper(w), nil }
	s := pipeline.Map(trim).ByKey(4, func(w string) byte { return w[0] }, pipeline.Map(upper))

	byLetter := map[string][]string{}
	for w, err := range s.Run(context.Background(), pipeline.Values("ant ", " bee", "ape", "bug", " asp")) {
		if err != nil {
			fmt.Println(err)
			return
		}
		byLetter[w[:1]] = append(byLetter[w[:1]], w)
	}
	fmt.Println(byLetter)
	// Output: map[A:[ANT APE ASP] B:[BEE BUG]]
}

// Every number goes through both branches.
func ExampleStage_Merge() {
	s := pipeline.Map(times2).Merge(pipeline.Map(times2), pipeline.Map(plus10))
	all, err := s.Collect(context.Background(), pipeline.Values(1, 2))
	slices.Sort(all) // the two branches come as they are ready
	fmt.Println(all, err)
	// Output: [4 8 12 14] <nil>
}

// The results of two stages for the same number are joined, in order.
func ExampleStage_Zip() {
	s := pipeline.Map(times2).Zip(pipeline.Map(times2), pipeline.Map(plus10), func(a, b int) int { return 100*a + b })
	fmt.Println(s.Collect(context.Background(), pipeline.Values(1, 2)))
	// Output: [412 814] <nil>
}

func ExampleStage_MapOr() {
	halves := pipeline.Map(func(_ context.Context, s string) (int, error) { return strconv.Atoi(s) }).MapOr(
		func(_ context.Context, n int) (int, error) {
			if n%2 != 0 {
				return 0, errors.New("odd")
			}
			return n / 2, nil
		},
		func(context.Context, pipeline.Failure[int]) (int, error) { return 0, pipeline.ErrSkip })
	fmt.Println(halves.Collect(context.Background(), pipeline.Values("4", "5", "6")))
	// Output: [2 3] <nil>
}

// The sum of all items so far.
func ExampleStage_Stateful() {
	sums := pipeline.Map(func(_ context.Context, s string) (int, error) { return strconv.Atoi(s) }).Stateful(
		func(context.Context) (*int, error) { return new(int), nil },
		func(_ context.Context, sum *int, n int, emit func(int) error) error {
			*sum += n
			return emit(*sum)
		},
		func(context.Context, *int, func(int) error) error { return nil },
		nil)
	fmt.Println(sums.Collect(context.Background(), pipeline.Values("1", "2", "3")))
	// Output: [1 3 6] <nil>
}
