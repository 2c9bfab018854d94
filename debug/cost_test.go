//go:build unix

package debug_test

import (
	"context"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/debug"
	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/pool"
)

// length is how long a round takes. An open page samples once in it, so four times a second.
const length = time.Second / 4

// What an open page costs the program, in processor time per item: the median of so many pairs of
// rounds, with a page and without, as TANDEM_COST says. The interval is that of the order statistics, since
// some rounds are far off on a busy machine.
//
//	TANDEM_COST=100 go test -run Cost -v ./debug
func TestCostOfAnOpenPage(t *testing.T) {
	pairs, _ := strconv.Atoi(os.Getenv("TANDEM_COST"))
	if pairs < 10 {
		t.Skip("TANDEM_COST is not set: it takes minutes")
	}
	for name, round := range map[string]func(h *debug.Handler) (items int){
		"pool, tasks of 1 µs":      poolRound,
		"pipeline of three stages": pipelineRound,
		"broadcast to 100":         broadcastRound,
	} {
		t.Run(name, func(t *testing.T) {
			var ratios []float64
			for i := range pairs {
				var cost [2]float64 // without and with
				for j := range 2 {
					seen := (i+j)%2 == 1
					var h *debug.Handler
					if seen {
						h = &debug.Handler{}
					}
					before := processorTime(t)
					n := round(h)
					spent := float64(processorTime(t)-before) / float64(n)
					if seen {
						cost[1] = spent
					} else {
						cost[0] = spent
					}
				}
				ratios = append(ratios, cost[1]/cost[0])
			}
			slices.Sort(ratios)
			off := int(math.Sqrt(float64(pairs))) // two standard deviations of the number of ratios below the median
			percent := func(i int) float64 { return 100 * (ratios[min(max(i, 0), pairs-1)] - 1) }
			t.Logf("%+.2f %%, 95 %% interval %+.2f to %+.2f %%", percent(pairs/2), percent(pairs/2-off), percent(pairs/2+off))
		})
	}
}

func processorTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// look opens a page until the returned function is called.
func look(h *debug.Handler) (leave func()) {
	if h == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var viewer sync.WaitGroup
	viewer.Go(func() {
		h.ServeHTTP(&lines{}, httptest.NewRequestWithContext(ctx, http.MethodGet, "/?format=events", nil))
	})
	return func() { cancel(); viewer.Wait() }
}

func poolRound(h *debug.Handler) (items int) {
	p := pool.New(2, func(_ context.Context, _ int) (int, error) {
		for start := time.Now(); time.Since(start) < time.Microsecond; {
		}
		return 0, nil
	})
	if h != nil {
		debug.Add(h, "p", p)
	}
	leave := look(h)
	for start := time.Now(); time.Since(start) < length; {
		for range 256 {
			_ = p.Go(context.Background(), 0) // the pool is open
			items++
		}
	}
	_ = p.Close() // no task fails
	leave()
	return items
}

func pipelineRound(h *debug.Handler) (items int) {
	id := func() pipeline.Stage[int, int] {
		return pipeline.Map(func(_ context.Context, n int) (int, error) { return n + 1, nil })
	}
	s := pipeline.Then(pipeline.Then(id(), id()), id())
	if h != nil {
		var o pipeline.Observer
		s = s.Observe(&o)
		debug.Add(h, "s", &o)
	}
	leave := look(h)
	_ = s.ForEach(context.Background(), pipeline.Seq(func(yield func(int) bool) {
		for start := time.Now(); time.Since(start) < length; {
			for range 1024 {
				items++
				if !yield(items) {
					return
				}
			}
		}
	}), func(context.Context, int) error { return nil }) // nothing fails
	leave()
	return items
}

func broadcastRound(h *debug.Handler) (items int) {
	b := broadcast.New[int]()
	if h != nil {
		debug.Add(h, "b", b)
	}
	var readers sync.WaitGroup
	for range 100 {
		s, err := b.Subscribe(broadcast.WithOverflow(broadcast.Block))
		if err != nil {
			panic(err)
		}
		readers.Go(func() {
			values := make([]int, 256)
			for {
				if _, err := s.NextBatch(context.Background(), values); err != nil {
					return
				}
			}
		})
	}
	leave := look(h)
	for start := time.Now(); time.Since(start) < length; {
		for range 256 {
			_ = b.Send(context.Background(), items) // it is open
			items++
		}
	}
	_ = b.Close() // it returns nil
	readers.Wait()
	leave()
	return items
}

// A look at a pool, a pipeline, a limiter and a broadcast to 100, as JSON.
func BenchmarkSample(b *testing.B) {
	var h debug.Handler
	news := broadcast.New[int]()
	for range 100 {
		sub, err := news.Subscribe()
		if err != nil {
			b.Fatal(err)
		}
		defer sub.Close()
	}
	debug.Add(&h, "jobs", pool.New(2, func(_ context.Context, n int) (int, error) { return n, nil }))
	debug.Add(&h, "chain", &pipeline.Observer{})
	debug.Add(&h, "news", news)
	for b.Loop() {
		get(&h, "?format=json")
	}
}
