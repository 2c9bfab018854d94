package pipeline_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tandemgo/tandem/pipeline"
)

func ExampleValues() {
	fmt.Println(pipeline.Map(times2).Collect(context.Background(), pipeline.Values(1, 2, 3)))
	// Output: [2 4 6] <nil>
}

func ExampleSeq() {
	ages := map[string]int{"Ann": 40, "Bob": 30}
	sorted := pipeline.Seq(slices.Values(slices.Sorted(maps.Keys(ages))))
	s := pipeline.Map(func(_ context.Context, name string) (int, error) { return ages[name], nil })
	fmt.Println(s.Collect(context.Background(), sorted))
	// Output: [40 30] <nil>
}

// The channel stays open, and the run ends all the same once Take has enough.
func ExampleChan() {
	ch := make(chan int, 3)
	ch <- 1
	ch <- 2
	ch <- 3
	fmt.Println(pipeline.Map(times2).Take(2).Collect(context.Background(), pipeline.Chan(ch)))
	// Output: [2 4] <nil>
}

// A source of one's own watches the context of the run, here to stop a ticker.
func ExampleSource() {
	ticks := pipeline.Source[int](func(ctx context.Context) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			ticker := time.NewTicker(time.Millisecond)
			defer ticker.Stop()
			for n := 0; ; n++ {
				select {
				case <-ticker.C:
					if !yield(n, nil) {
						return
					}
				case <-ctx.Done():
					return
				}
			}
		}
	})
	fmt.Println(pipeline.Take[int](3).Collect(context.Background(), ticks))
	// Output: [0 1 2] <nil>
}

// Draining: when stop ends, as that of signal.NotifyContext does on SIGINT, the run works
// off all that it has read. It has a context of its own, which does not end.
func ExampleUntil() {
	stop, interrupt := context.WithCancel(context.Background())
	jobs := make(chan int)
	go func() {
		for n := range 5 {
			jobs <- n
		}
		interrupt()
	}()
	var seen pipeline.Observer
	work := pipeline.Map(times2, pipeline.WithWorkers(2)).Observe(&seen)
	done, err := work.Collect(context.Background(), pipeline.Until(stop, pipeline.Chan(jobs)))
	fmt.Println(done, err)
	fmt.Println(seen.Stats())
	// Output:
	// [0 2 4 6 8] <nil>
	// map: in 5, done 5, skipped 0, failed 0, discarded 0, out 5
}

// Totals: nothing comes out before the input has come to its end.
func ExampleStateful() {
	totals := pipeline.Stateful(
		func(context.Context) (map[string]int, error) { return map[string]int{}, nil },
		func(_ context.Context, sold map[string]int, product string, _ func(string) error) error {
			sold[product]++
			return nil
		},
		func(_ context.Context, sold map[string]int, emit func(string) error) error {
			for _, product := range slices.Sorted(maps.Keys(sold)) {
				if err := emit(fmt.Sprintf("%d %s", sold[product], product)); err != nil {
					return err
				}
			}
			return nil
		}, nil, pipeline.WithName("totals"))
	out, err := totals.Collect(context.Background(), pipeline.Values("tea", "salt", "tea"))
	fmt.Printf("%q %v\n", out, err)
	// Output: ["1 salt" "2 tea"] <nil>
}

// Session windows: clicks belong to one session until there are none for half an hour. Each
// is the minute in which it came.
func ExampleStateful_sessions() {
	type window struct{ clicks []int }
	sessions := pipeline.Stateful(
		func(context.Context) (*window, error) { return new(window), nil },
		func(_ context.Context, w *window, minute int, emit func([]int) error) error {
			var err error
			if n := len(w.clicks); n > 0 && minute-w.clicks[n-1] > 30 {
				err = emit(w.clicks)
				w.clicks = nil
			}
			w.clicks = append(w.clicks, minute)
			return err
		},
		func(_ context.Context, w *window, emit func([]int) error) error {
			if len(w.clicks) == 0 {
				return nil
			}
			return emit(w.clicks)
		}, nil)
	fmt.Println(sessions.Collect(context.Background(), pipeline.Values(0, 1, 60, 120, 121)))
	// Output: [[0 1] [60] [120 121]] <nil>
}

// Batches of at most ten bytes.
func ExampleStateful_batchByBytes() {
	type packet struct {
		lines []string
		bytes int
	}
	packets := pipeline.Stateful(
		func(context.Context) (*packet, error) { return new(packet), nil },
		func(_ context.Context, p *packet, line string, emit func([]string) error) error {
			var err error
			if p.bytes+len(line) > 10 && len(p.lines) > 0 {
				err = emit(p.lines)
				*p = packet{}
			}
			p.lines, p.bytes = append(p.lines, line), p.bytes+len(line)
			return err
		},
		func(_ context.Context, p *packet, emit func([]string) error) error {
			if len(p.lines) == 0 {
				return nil
			}
			return emit(p.lines)
		}, nil)
	fmt.Println(packets.Collect(context.Background(), pipeline.Values("four", "five5", "sixsix", "a line that is too long", "end")))
	// Output: [[four five5] [sixsix] [a line that is too long] [end]] <nil>
}

// Batches of two items of one key each. The rest of each key comes at the end.
func ExampleStateful_batchByKey() {
	byProduct := pipeline.Stateful(
		func(context.Context) (map[string][]string, error) { return map[string][]string{}, nil },
		func(_ context.Context, open map[string][]string, sale string, emit func([]string) error) error {
			product, _, _ := strings.Cut(sale, "=")
			batch := append(open[product], sale)
			if len(batch) < 2 {
				open[product] = batch
				return nil
			}
			delete(open, product)
			return emit(batch)
		},
		func(_ context.Context, open map[string][]string, emit func([]string) error) error {
			var errs error
			for _, product := range slices.Sorted(maps.Keys(open)) {
				errs = cmp.Or(errs, emit(open[product]))
			}
			return errs
		}, nil)
	fmt.Println(byProduct.Collect(context.Background(), pipeline.Values("tea=1", "salt=2", "tea=3", "tea=4")))
	// Output: [[tea=1 tea=3] [salt=2] [tea=4]] <nil>
}

// Each connection is used and closed by one stage, or closed by OnDiscard.
func ExampleOnDiscard() {
	opened, closed := 0, 0
	open := pipeline.Map(func(_ context.Context, n int) (int, error) { opened++; return n, nil })
	use := pipeline.Map(func(_ context.Context, conn int) (int, error) {
		closed++
		if conn == 100 {
			return 0, errors.New("reset by peer")
		}
		return conn, nil
	}, pipeline.WithName("use"))
	s := pipeline.Then(open.OnDiscard(func(int) { closed++ }), use)
	_, err := s.Collect(context.Background(), count(1000))
	fmt.Println(err)
	fmt.Println("all are closed:", opened == closed)
	// Output:
	// pipeline: stage "use": item 100: reset by peer
	// all are closed: true
}

// The service says how long it will be busy.
func ExampleRetryAfter() {
	calls := 0
	s := pipeline.Map(func(context.Context, string) (int, error) {
		if calls++; calls == 1 {
			return 0, pipeline.RetryAfter(errors.New("busy"), time.Millisecond)
		}
		return calls, nil
	}, pipeline.WithRetry(pipeline.RetryPolicy{Attempts: 2, Delay: time.Hour}))
	fmt.Println(s.Collect(context.Background(), pipeline.Values("page")))
	// Output: [2] <nil>
}
