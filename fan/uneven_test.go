package fan_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/fan"
	"github.com/tandemgo/tandem/internal/testkit"
)

// schedule returns how long n goroutines take for elements that cost so much, if
// each takes the first one that is left, as a loop of errgroup's Go under SetLimit(n)
// does.
func schedule(n int, costs []time.Duration) time.Duration {
	free := make([]time.Duration, n) // when each goroutine is
	for _, cost := range costs {
		i := slices.Index(free, slices.Min(free))
		free[i] += cost
	}
	return slices.Max(free)
}

// repeated returns elements of the same cost.
func repeated(count int, cost time.Duration) []time.Duration {
	return slices.Repeat([]time.Duration{cost}, count)
}

// neighbours returns size elements of which some, from the given one on, are slow.
func neighbours(size int, cost time.Duration, from, count int, slow time.Duration) []time.Duration {
	return slices.Concat(repeated(from, cost), repeated(count, slow), repeated(size-from-count, cost))
}

// every returns size elements of which one in each step is slow.
func every(step, size int, cost, slow time.Duration) []time.Duration {
	costs := repeated(size, cost)
	for i := step - 1; i < size; i += step {
		costs[i] = slow
	}
	return costs
}

// An unevenCall calls work for each element, on n goroutines.
type unevenCall func(ctx context.Context, n int, costs []time.Duration, work func(time.Duration)) error

var unevenCalls = map[string]unevenCall{
	"Map": func(ctx context.Context, n int, costs []time.Duration, work func(time.Duration)) error {
		_, err := fan.Map(ctx, n, costs, func(_ context.Context, cost time.Duration) (int, error) { work(cost); return 0, nil })
		return err
	},
	"Reduce": func(ctx context.Context, n int, costs []time.Duration, work func(time.Duration)) error {
		folded, err := fan.Reduce(ctx, n, costs, func() []time.Duration { return nil },
			func(acc []time.Duration, cost time.Duration) ([]time.Duration, error) {
				work(cost)
				return append(acc, cost), nil
			},
			func(a, b []time.Duration) []time.Duration { return append(a, b...) })
		if err == nil && !slices.Equal(folded, costs) {
			err = errors.New("the elements are not folded in their order")
		}
		return err
	},
	"ForEach": func(ctx context.Context, n int, costs []time.Duration, work func(time.Duration)) error {
		return fan.ForEach(ctx, n, slices.Values(costs), func(_ context.Context, cost time.Duration) error { work(cost); return nil })
	},
	"Seq unordered": func(ctx context.Context, n int, costs []time.Duration, work func(time.Duration)) error {
		for _, err := range fan.Seq(ctx, n, slices.Values(costs), func(_ context.Context, cost time.Duration) (int, error) { work(cost); return 0, nil }, fan.Unordered()) {
			if err != nil {
				return err
			}
		}
		return nil
	},
}

// took returns how long a call takes.
func took(t *testing.T, call unevenCall, n int, costs []time.Duration) (d time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if err := call(t.Context(), n, costs, time.Sleep); err != nil {
			t.Error(err)
		}
		d = time.Since(start)
	})
	return d
}

// F4: elements that have proved dear wait for no other one while a goroutine is
// free, wherever the slow ones are.
func TestF4SlowNeighbours(t *testing.T) {
	const ms, s = time.Millisecond, time.Second
	for _, c := range []struct {
		name  string
		n     int
		costs []time.Duration
	}{
		{"at the start", 8, neighbours(1000, 20*ms, 0, 8, 10*s)},
		{"near the start", 8, neighbours(1000, 20*ms, 100, 8, 10*s)},
		{"in the middle", 8, neighbours(1000, 20*ms, 500, 8, 10*s)},
		{"at the end", 8, neighbours(1000, 20*ms, 992, 8, 10*s)},
		{"by two", 2, neighbours(1000, 20*ms, 500, 8, 10*s)},
		{"by 32", 32, neighbours(1000, 20*ms, 500, 8, 10*s)},
		{"32 of them by 32", 32, neighbours(10_000, 20*ms, 5000, 32, 10*s)},
		{"two of them", 8, neighbours(1000, 20*ms, 500, 2, 10*s)},
		{"few elements", 4, neighbours(20, 20*ms, 8, 4, s)},
		{"every eighth", 8, every(8, 1000, 20*ms, s)},
		{"all", 8, repeated(100, s)},
		{"by one", 1, neighbours(100, 20*ms, 50, 8, s)},
		{"one for each", 100, neighbours(100, 20*ms, 50, 8, s)},
		{"more than elements", 1000, neighbours(100, 20*ms, 50, 8, s)},
		{"slow ones, then cheap ones", 8, neighbours(10_000, 100, 0, 8, 10*s)},
		{"under a clock that stands still", 8, neighbours(1000, 0, 500, 8, 10*s)},
	} {
		ideal := schedule(c.n, c.costs)
		for name, call := range unevenCalls {
			limit := ideal * 105 / 100
			if name == "Reduce" { // does not take elements in their order, see below
				limit = ideal + slices.Max(c.costs)
			}
			if d := took(t, call, c.n, c.costs); d > limit {
				t.Errorf("%s, %s: took %v, a schedule in order takes %v", name, c.name, d, ideal)
			}
		}
	}
}

// F4: slow neighbours among cheap elements, which are taken in runs, cost at most one
// round more.
func TestF4SlowNeighboursAmongCheapElements(t *testing.T) {
	const cheap, slow = 100 * time.Nanosecond, 10 * time.Second
	for _, n := range []int{2, 8, 32} {
		for _, size := range []int{100, 10_000} {
			for _, count := range []int{2, n, 3 * n} {
				for _, from := range []int{20, size / 2, size - count} {
					if from+count > size {
						continue
					}
					costs := neighbours(size, cheap, from, count, slow)
					ideal := schedule(n, costs)
					for name, call := range unevenCalls {
						if d := took(t, call, n, costs); d > ideal+slow+time.Millisecond {
							t.Errorf("%s of %d by %d, %d slow ones from %d on: took %v, a schedule in order takes %v", name, size, n, count, from, d, ideal)
						}
					}
				}
			}
		}
	}
}

// F4: before the last element has begun, no goroutine is idle.
func TestF4NoGoroutineIsIdleWhileElementsWait(t *testing.T) {
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(seed, 4))
		n := 1 + rnd.IntN(9)
		costs := make([]time.Duration, n+rnd.IntN(300))
		for i := range costs {
			costs[i] = time.Duration(1+rnd.IntN(3)) * time.Millisecond
			if rnd.IntN(20) == 0 {
				costs[i] = time.Duration(rnd.IntN(1000)) * time.Second
			}
		}
		for name, call := range unevenCalls {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var begins, work []time.Duration
				start := time.Now()
				if err := call(t.Context(), n, costs, func(cost time.Duration) {
					mu.Lock()
					begins, work = append(begins, time.Since(start)), append(work, cost)
					mu.Unlock()
					time.Sleep(cost)
				}); err != nil {
					t.Error(err)
				}
				last, busy := slices.Max(begins), time.Duration(0)
				for i, at := range begins {
					busy += min(at+work[i], last) - at
				}
				if busy != time.Duration(n)*last {
					t.Errorf("seed %d, %s of %d by %d: until the last one began, at %v, goroutines were busy for %v", seed, name, len(costs), n, last, busy)
				}
			})
		}
	}
}

// F4: an element may wait for any later one if there are goroutines for both, and
// the elements before have not proved cheap.
func TestF4AnElementMayWaitForALaterOne(t *testing.T) {
	const size = 20
	for name, call := range unevenCalls {
		for waits := range size {
			for later := waits + 1; later < size; later++ {
				synctest.Test(t, func(t *testing.T) {
					begun := make(chan struct{})
					if err := call(t.Context(), 2, slices.Collect(func(yield func(time.Duration) bool) {
						for i := range size {
							if !yield(time.Duration(i)) {
								return
							}
						}
					}), func(i time.Duration) {
						switch int(i) {
						case waits:
							<-begun
						case later:
							close(begun)
						}
					}); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				})
			}
		}
	}
}

// F4: so it is under a real clock, where others join by a timer.
func TestF4TheFirstElementMayWaitForTheLast(t *testing.T) {
	testkit.Watchdog(t, func() {
		for size := 2; size <= 8; size++ {
			begun := make(chan struct{})
			_, err := fan.Map(t.Context(), 2, numbers(size), func(_ context.Context, v int) (int, error) {
				switch v {
				case 0:
					<-begun
				case size - 1:
					close(begun)
				}
				return v, nil
			})
			equal(t, "error", nil, err)
		}
	})
}

// F4: Maps within Maps each have goroutines of their own.
func TestF4NestedMaps(t *testing.T) {
	costs := neighbours(100, 20*time.Millisecond, 50, 4, 10*time.Second)
	ideal := schedule(4, costs)
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := fan.Map(t.Context(), 3, numbers(3), func(ctx context.Context, _ int) (int, error) {
			return 0, unevenCalls["Map"](ctx, 4, costs, time.Sleep)
		})
		if d := time.Since(start); err != nil || d != ideal {
			t.Errorf("took %v, one of them takes %v; %v", d, ideal, err)
		}
	})
}

// F4: n may be as large as an int, and is as good as one goroutine for each element.
func TestF4WithoutALimit(t *testing.T) {
	for _, n := range []int{64, 1 << 40, 1 << 60, math.MaxInt} {
		for _, name := range []string{"Map", "Reduce", "ForEach"} {
			if d := took(t, unevenCalls[name], n, repeated(64, time.Second)); d != time.Second {
				t.Errorf("%s by %d: 64 elements of a second took %v", name, n, d)
			}
		}
	}
}
