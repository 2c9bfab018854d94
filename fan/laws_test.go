package fan_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/fan"
	"github.com/tandemgo/tandem/internal/testkit"
)

func equal[T any](t testing.TB, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// F1: what comes out of Out and In is fn of what went in, each once.
func TestF1OutAndIn(t *testing.T) {
	testkit.Watchdog(t, func() {
		for _, n := range []int{1, 2, 5, 16} {
			for _, size := range []int{0, 1, 3, 500} {
				results := fan.In(t.Context(), fan.Out(t.Context(), feed(t.Context(), size), n, square)...)
				got := make([]int, 0, size)
				for r := range results {
					if r.Err != nil {
						t.Error(r.Err)
					}
					got = append(got, r.Value)
				}
				slices.Sort(got)
				equal(t, fmt.Sprintf("%d items by %d workers", size, n), squares(size), got)
			}
		}
	})
}

// F1: every branch of Tee gets every item in order.
func TestF1Tee(t *testing.T) {
	testkit.Watchdog(t, func() {
		var wg sync.WaitGroup
		for _, branch := range fan.Tee(t.Context(), feed(t.Context(), 300), 4) {
			wg.Go(func() {
				got := []int{}
				for v := range branch {
					got = append(got, v)
				}
				equal(t, "branch", numbers(300), got)
			})
		}
		wg.Wait()
	})
}

// F1: Partition divides the items, and keeps the order of each key.
func TestF1Partition(t *testing.T) {
	testkit.Watchdog(t, func() {
		key := func(v int) string { return fmt.Sprint(v % 7) }
		var mu sync.Mutex
		of := map[string][]int{}
		at := map[string]int{}
		var wg sync.WaitGroup
		for i, part := range fan.Partition(t.Context(), feed(t.Context(), 300), 3, key) {
			wg.Go(func() {
				for v := range part {
					mu.Lock()
					if was, ok := at[key(v)]; ok && was != i {
						t.Errorf("key %s in parts %d and %d", key(v), was, i)
					}
					at[key(v)] = i
					of[key(v)] = append(of[key(v)], v)
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		sum := 0
		for k, vs := range of {
			sum += len(vs)
			if !slices.IsSorted(vs) {
				t.Errorf("key %s: %v", k, vs)
			}
		}
		equal(t, "items", 300, sum)
	})
}

// F1, FF2: Map keeps indexes, for any length and number of workers.
func TestF1Map(t *testing.T) {
	for _, n := range []int{1, 2, 3, 8, 100} {
		for _, size := range []int{0, 1, 2, 3, 7, 8, 9, 100, 1001} {
			got, err := fan.Map(t.Context(), n, numbers(size), square)
			if err != nil {
				t.Error(err)
			}
			equal(t, fmt.Sprintf("%d elements by %d", size, n), squares(size), got)
		}
	}
}

// F1: Map calls the function once for each index, also when many workers claim
// them at once.
func TestF1MapCallsOnce(t *testing.T) {
	testkit.Watchdog(t, func() {
		for range 50 {
			ledger := testkit.NewLedger(5000)
			_, err := fan.Map(t.Context(), 16, numbers(5000), func(_ context.Context, v int) (int, error) {
				ledger.Note(v)
				if v%64 == 0 {
					runtime.Gosched()
				}
				return 0, nil
			})
			if err != nil {
				t.Error(err)
			}
			ledger.ExactlyOnce(t)
		}
	})
}

// F1: Seq is the sequential program, whatever the costs; Unordered a
// permutation of it.
func TestF1Seq(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			size, n := rnd.IntN(100), 1+rnd.IntN(8)
			fn := func(ctx context.Context, v int) (int, error) {
				time.Sleep(time.Duration(v * 7919 % 101))
				return square(ctx, v)
			}
			for _, opts := range [][]fan.Option{nil, {fan.Unordered()}} {
				got := []int{}
				for v, err := range fan.Seq(t.Context(), n, count(size), fn, opts...) {
					if err != nil {
						t.Error(err)
					}
					got = append(got, v)
				}
				if opts != nil {
					slices.Sort(got)
				}
				equal(t, fmt.Sprintf("seed %d, %d items by %d", seed, size, n), squares(size), got)
			}
		})
	}
}

// F1: ByKey keeps the order of each key, works on one item of a key at a time,
// and on several keys at once.
func TestF1ByKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const keys = 40 // so many do not all end up in one lane
		var busy [keys]testkit.Gauge
		var all testkit.Gauge
		seen := map[int]int{}
		ledger := testkit.NewLedger(400)
		for v, err := range fan.ByKey(t.Context(), 4, count(400), func(v int) int { return v % keys },
			func(_ context.Context, v int) (int, error) {
				if busy[v%keys].Enter() > 1 {
					t.Errorf("key %d is worked on twice at once", v%keys)
				}
				all.Enter()
				time.Sleep(time.Duration(1 + v*31%17))
				all.Leave()
				busy[v%keys].Leave()
				return v, nil
			}) {
			if err != nil {
				t.Error(err)
			}
			ledger.Note(v)
			if last, ok := seen[v%keys]; ok && v <= last {
				t.Errorf("%d came after %d", v, last)
			}
			seen[v%keys] = v
		}
		ledger.ExactlyOnce(t)
		if all.Most() < 2 || all.Most() > 4 {
			t.Errorf("%d at once", all.Most())
		}
	})
}

// F1: Reduce equals the sequential fold.
func TestF1Reduce(t *testing.T) {
	for _, n := range []int{1, 2, 5} {
		for _, size := range []int{0, 1, 2, 17, 1000} {
			got, err := fan.Reduce(t.Context(), n, numbers(size),
				func() string { return "" },
				func(acc string, v int) (string, error) { return acc + fmt.Sprint(v, ","), nil },
				func(a, b string) string { return a + b }) // associative, not commutative
			var want strings.Builder
			for i := range size {
				want.WriteString(fmt.Sprint(i, ","))
			}
			if got != want.String() || err != nil {
				t.Errorf("%d elements by %d: %q, %v", size, n, got, err)
			}
		}
	}
}

// F2: Map costs nothing for an element: neither memory nor goroutines depend on
// the length.
func TestF2MapCostsNothingPerElement(t *testing.T) {
	cost := func(size int) float64 {
		in := numbers(size)
		return testing.AllocsPerRun(20, func() {
			if _, err := fan.Map(t.Context(), 4, in, square); err != nil {
				t.Error(err)
			}
		})
	}
	// More elements are more runs to claim, each guarded once: ~ n·log(size).
	if small, large := cost(1_000), cost(100_000); large > small+100 {
		t.Errorf("%v allocations for 1,000 elements, %v for 100,000", small, large)
	}
	a := testkit.Trace(t, func() { _, _ = fan.Map(t.Context(), 4, numbers(100_000), square) })
	if a.Started > 3+10 { // and those of the run time
		t.Errorf("%d goroutines started", a.Started)
	}
}

// F2: cheap elements are claimed in runs: while one of them is held, some wait behind
// it, and only those of its run.
func TestF2CheapElementsAreClaimedInRuns(t *testing.T) {
	const size = 1000
	waiting := 0
	for held := 50; held < size/2; held += 50 {
		synctest.Test(t, func(t *testing.T) {
			var done testkit.Gauge
			release := make(chan struct{})
			time.AfterFunc(time.Hour, func() {
				n := size - 1 - done.Now()
				if n >= size/2 {
					t.Errorf("%d of %d elements wait while one is held", n, size)
				}
				waiting += n
				close(release)
			})
			_, err := fan.Map(t.Context(), 2, numbers(size), func(_ context.Context, v int) (int, error) {
				if v == held {
					<-release
				}
				time.Sleep(10 * time.Nanosecond)
				done.Enter()
				return v, nil
			})
			equal(t, "error", nil, err)
		})
	}
	if waiting == 0 {
		t.Error("elements are claimed one by one")
	}
}

// F2: short inputs stay on the caller.
func TestF2ShortInputsStayOnTheCaller(t *testing.T) {
	for _, tt := range []struct{ n, size int }{{8, 0}, {8, 1}, {1, 100}} {
		before := runtime.NumGoroutine()
		_, err := fan.Map(t.Context(), tt.n, make([]int, tt.size), func(context.Context, int) (int, error) {
			if now := runtime.NumGoroutine(); now > before {
				t.Errorf("%d elements by %d: %d goroutines, %d before", tt.size, tt.n, now, before)
			}
			return 0, nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// F2: an uneven input ends balanced: 1 element in 100 costs 1,000 times as much,
// and these are not spread evenly.
func TestF2UnevenInputEndsBalanced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 4
		in := make([]time.Duration, 800)
		var total time.Duration
		for i := range in {
			if in[i] = time.Millisecond; i%50 == 25 && i < len(in)/2 {
				in[i] = time.Second
			}
			total += in[i]
		}
		start := time.Now()
		_, err := fan.Map(t.Context(), n, numbers(len(in)), func(_ context.Context, i int) (int, error) {
			time.Sleep(in[i])
			return 0, nil
		})
		// The best that any order can do is total/n, and claiming may lose the
		// largest element. Equal parts for all would take 4 s here.
		if took := time.Since(start); err != nil || took > total/n+time.Second {
			t.Errorf("took %v, the ideal is %v; %v", took, total/n, err)
		}
	})
}

// F3, FF12: nil and closed channels among the inputs are ignored, no input is closed
// at once.
func TestF3NilAndClosedInputs(t *testing.T) {
	testkit.Watchdog(t, func() {
		closed := make(chan int)
		close(closed)
		var none <-chan int
		n := 0
		for range fan.In(t.Context(), none, closed, feed(t.Context(), 10), none) {
			n++
		}
		equal(t, "items", 10, n)
		for _, ch := range []<-chan int{fan.In[int](t.Context()), fan.In(t.Context(), none, none), fan.In(t.Context(), closed)} {
			if _, ok := <-ch; ok {
				t.Error("an item out of nothing")
			}
		}
		for _, ch := range fan.Out(t.Context(), none, 2, square) {
			if _, ok := <-ch; ok {
				t.Error("an item out of nothing")
			}
		}
		for _, ch := range append(fan.Tee(t.Context(), none, 2), fan.Partition(t.Context(), none, 2, func(v int) int { return v })...) {
			if _, ok := <-ch; ok {
				t.Error("an item out of nothing")
			}
		}
	})
}

// C1, FF1: leaving a walk at any item, in any way, cancels and joins. The bubble
// fails if anything is left.
func TestC1LeavingAWalkJoins(t *testing.T) {
	walks := map[string]func(ctx context.Context, fn func(context.Context, int) (int, error)) iter.Seq2[int, error]{
		"ordered": func(ctx context.Context, fn func(context.Context, int) (int, error)) iter.Seq2[int, error] {
			return fan.Seq(ctx, 3, count(1000), fn)
		},
		"unordered": func(ctx context.Context, fn func(context.Context, int) (int, error)) iter.Seq2[int, error] {
			return fan.Seq(ctx, 3, count(1000), fn, fan.Unordered())
		},
		"by key": func(ctx context.Context, fn func(context.Context, int) (int, error)) iter.Seq2[int, error] {
			return fan.ByKey(ctx, 3, count(1000), func(v int) int { return v % 10 }, fn)
		},
	}
	ends := map[string]func() bool{
		"break":  func() bool { return false },
		"panic":  func() bool { panic("body") },
		"Goexit": func() bool { runtime.Goexit(); return false },
	}
	for name, walk := range walks {
		for how, end := range ends {
			t.Run(name+"/"+how, func(t *testing.T) {
				for at := range 15 {
					synctest.Test(t, func(t *testing.T) {
						var running testkit.Gauge
						done := make(chan struct{})
						go func() {
							defer close(done)
							defer func() {
								if r := recover(); (r == "body") != (how == "panic") {
									t.Errorf("recovered %v", r)
								}
								if running.Now() != 0 {
									t.Errorf("%d calls still run", running.Now())
								}
							}()
							seen := 0
							for range walk(t.Context(), func(ctx context.Context, v int) (int, error) {
								running.Enter()
								defer running.Leave()
								if v > 20 { // more than any walk needs
									<-ctx.Done()
									time.Sleep(time.Second)
								}
								return v, nil
							}) {
								if seen++; seen > at && !end() {
									return
								}
							}
						}()
						<-done
					})
				}
			})
		}
	}
}

// C1, FF14: losers of a race are cancelled and joined before First returns.
func TestC1LosersAreJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running testkit.Gauge
		begun := make(chan struct{})
		slow := func(ctx context.Context) (string, error) {
			running.Enter()
			defer running.Leave()
			begun <- struct{}{}
			<-ctx.Done()
			time.Sleep(time.Second)
			return "", ctx.Err()
		}
		fast := func(context.Context) (string, error) {
			<-begun // a function does not begin once there is a result
			<-begun
			return "fast", nil
		}
		start := time.Now()
		v, err := fan.First(t.Context(), slow, fast, slow)
		if v != "fast" || err != nil || running.Now() != 0 || time.Since(start) != time.Second {
			t.Errorf("%q, %v, %d still run, after %v", v, err, running.Now(), time.Since(start))
		}
	})
}

// C1: channel functions end with their context, whoever reads.
func TestC1ChannelFunctionsEndWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		never := make(chan int)
		var all []<-chan int
		all = append(all, fan.In(ctx, never, feed(ctx, 100)))
		all = append(all, fan.Tee(ctx, feed(ctx, 100), 3)...)
		all = append(all, fan.Partition(ctx, feed(ctx, 100), 3, func(v int) int { return v })...)
		outs := fan.Out(ctx, feed(ctx, 100), 3, square)
		synctest.Wait()
		cancel()
		for _, ch := range all {
			for range ch {
			}
		}
		for _, ch := range outs {
			for range ch {
			}
		}
	})
}

// C2: everything that blocks returns the cause of the context.
func TestC2CauseOfTheContext(t *testing.T) {
	cause := errors.New("enough")
	block := func(ctx context.Context, _ int) (int, error) { <-ctx.Done(); return 0, ctx.Err() }
	last := func(seq iter.Seq2[int, error]) (err error) {
		for _, err = range seq {
		}
		return err
	}
	calls := map[string]func(context.Context) error{
		"Map":       func(ctx context.Context) error { _, err := fan.Map(ctx, 3, numbers(10), block); return err },
		"Map alone": func(ctx context.Context) error { _, err := fan.Map(ctx, 1, numbers(10), block); return err },
		"ForEach": func(ctx context.Context) error {
			return fan.ForEach(ctx, 3, count(10), func(ctx context.Context, v int) error { _, err := block(ctx, v); return err })
		},
		"Seq":           func(ctx context.Context) error { return last(fan.Seq(ctx, 3, count(10), block)) },
		"Seq unordered": func(ctx context.Context) error { return last(fan.Seq(ctx, 3, count(10), block, fan.Unordered())) },
		"ByKey": func(ctx context.Context) error {
			return last(fan.ByKey(ctx, 3, count(10), func(v int) int { return v }, block))
		},
		"First": func(ctx context.Context) error {
			_, err := fan.First(ctx, func(ctx context.Context) (int, error) { return block(ctx, 0) })
			return err
		},
		"Reduce": func(ctx context.Context) error {
			_, err := fan.Reduce(ctx, 2, numbers(10), func() int { return 0 },
				func(int, int) (int, error) { return block(ctx, 0) }, func(a, b int) int { return a + b })
			return err
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { cancel(cause) })
				if err := call(ctx); !errors.Is(err, cause) {
					t.Errorf("during: %v, want %v", err, cause)
				}
				if err := call(ctx); !errors.Is(err, cause) {
					t.Errorf("ended before: %v, want %v", err, cause)
				}
			})
		})
	}
}

// C3: functions may call the package again.
func TestC3NestedCalls(t *testing.T) {
	testkit.Watchdog(t, func() {
		got, err := fan.Map(t.Context(), 4, numbers(30), func(ctx context.Context, v int) (int, error) {
			vs, err := fan.Map(ctx, 4, numbers(v), square)
			sum := 0
			for v := range fan.Seq(ctx, 2, slices.Values(vs), square) {
				sum += v
			}
			return len(vs), err
		})
		equal(t, "results", numbers(30), got)
		equal(t, "error", nil, err)
	})
}

// C4, FC3: panics and Goexit become errors, wherever a result can carry them.
func TestC4PanicsAndGoexit(t *testing.T) {
	ends := testkit.Ends()
	ends["Goexit"] = runtime.Goexit
	for name, end := range ends {
		at := func(_ context.Context, v int) (int, error) {
			if v == 7 {
				end()
			}
			return v, nil
		}
		only := func(seq iter.Seq2[int, error]) (bad error) {
			n := 0
			for v, err := range seq {
				if n++; err != nil {
					bad = err
				} else if v == 7 {
					t.Error("a result of the item that ended")
				}
			}
			if n != 20 {
				t.Errorf("%d results of 20", n)
			}
			return bad
		}
		calls := map[string]func(context.Context) error{
			"ForEach": func(ctx context.Context) error {
				return fan.ForEach(ctx, 3, count(20), func(ctx context.Context, v int) error { _, err := at(ctx, v); return err })
			},
			"Seq":           func(ctx context.Context) error { return only(fan.Seq(ctx, 1, count(20), at)) },
			"Seq unordered": func(ctx context.Context) error { return only(fan.Seq(ctx, 3, count(20), at, fan.Unordered())) },
			"ByKey": func(ctx context.Context) error {
				return only(fan.ByKey(ctx, 3, count(20), func(v int) int { return v }, at))
			},
			"First": func(ctx context.Context) error {
				_, err := fan.First(ctx, func(ctx context.Context) (int, error) { return at(ctx, 7) })
				return err
			},
			"Out": func(ctx context.Context) (bad error) {
				n := 0
				for r := range fan.In(ctx, fan.Out(ctx, feed(ctx, 20), 2, at)...) {
					if n++; r.Err != nil {
						bad = r.Err
					}
				}
				equal(t, "results", 20, n)
				return bad
			},
			"source": func(ctx context.Context) (bad error) {
				for _, bad = range fan.Seq(ctx, 2, func(yield func(int) bool) { yield(1); end() }, square) {
				}
				return bad
			},
		}
		if name != "Goexit" { // that may end the caller, see below
			calls["Map"] = func(ctx context.Context) error { _, err := fan.Map(ctx, 3, numbers(20), at); return err }
			calls["Map alone"] = func(ctx context.Context) error { _, err := fan.Map(ctx, 1, numbers(20), at); return err }
			calls["Reduce merge"] = func(ctx context.Context) error {
				_, err := fan.Reduce(ctx, 2, numbers(20), func() int { return 0 },
					func(a, b int) (int, error) { time.Sleep(time.Second); return a + b, nil }, func(int, int) int { end(); return 0 })
				return err
			}
			calls["key"] = func(ctx context.Context) (bad error) {
				for _, bad = range fan.ByKey(ctx, 2, count(5), func(int) int { end(); return 0 }, square) {
				}
				return bad
			}
		}
		for kind, call := range calls {
			t.Run(name+"/"+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					err := call(t.Context())
					_, panicked := errors.AsType[*fan.PanicError](err)
					if panicked != (name != "Goexit") || !panicked && !errors.Is(err, fan.ErrGoexit) {
						t.Errorf("got %v", err)
					}
					if name == "error" && !errors.Is(err, testkit.ErrEnd) {
						t.Errorf("%v does not unwrap to the value", err)
					}
				})
			})
		}
	}
}

// C4, FF13: in Map, a Goexit on a goroutine of Map is an error, and one on the
// caller's ends the caller, after the others have ended.
func TestC4GoexitInMap(t *testing.T) {
	for round := range 50 {
		synctest.Test(t, func(t *testing.T) {
			var running testkit.Gauge
			var err error
			returned := false
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer func() { equal(t, "calls still running", 0, running.Now()) }()
				_, err = fan.Map(t.Context(), 4, numbers(100), func(ctx context.Context, v int) (int, error) {
					running.Enter()
					defer running.Leave()
					if v == round {
						runtime.Goexit()
					}
					select {
					case <-ctx.Done():
					case <-time.After(time.Duration(v)):
					}
					return v, nil
				})
				returned = true
			}()
			<-done
			if returned && !errors.Is(err, fan.ErrGoexit) {
				t.Errorf("Map returned %v", err)
			}
		})
	}
}

// C5, FC2: misuse panics at the call that is wrong.
func TestC5MisusePanics(t *testing.T) {
	var none context.Context
	ctx := t.Context()
	zero, fold, merge := func() int { return 0 }, func(a, b int) (int, error) { return a + b, nil }, func(a, b int) int { return a + b }
	tests := map[string]func(){
		"fan: Out: n must be at least 1, got 0":       func() { fan.Out(ctx, nil, 0, square) },
		"fan: Out: function must not be nil":          func() { fan.Out[int, int](ctx, nil, 1, nil) },
		"fan: Out: context must not be nil":           func() { fan.Out(none, nil, 1, square) },
		"fan: In: context must not be nil":            func() { fan.In[int](none) },
		"fan: Tee: n must be at least 1, got -1":      func() { fan.Tee[int](ctx, nil, -1) },
		"fan: Partition: n must be at least 1, got 0": func() { fan.Partition(ctx, nil, 0, func(int) int { return 0 }) },
		"fan: Partition: function must not be nil":    func() { fan.Partition[int, int](ctx, nil, 1, nil) },
		"fan: Map: n must be at least 1, got 0":       func() { _, _ = fan.Map(ctx, 0, numbers(1), square) },
		"fan: Map: function must not be nil":          func() { _, _ = fan.Map[int, int](ctx, 1, nil, nil) },
		"fan: Map: context must not be nil":           func() { _, _ = fan.Map(none, 1, nil, square) },
		"fan: ForEach: n must be at least 1, got 0":   func() { _ = fan.ForEach(ctx, 0, count(1), func(context.Context, int) error { return nil }) },
		"fan: ForEach: function must not be nil":      func() { _ = fan.ForEach(ctx, 1, count(1), nil) },
		"fan: Seq: n must be at least 1, got 0":       func() { fan.Seq(ctx, 0, count(1), square) },
		"fan: Seq: function must not be nil":          func() { fan.Seq[int, int](ctx, 1, count(1), nil) },
		"fan: Seq: input must not be nil":             func() { fan.Seq(ctx, 1, nil, square) },
		"fan: ByKey: n must be at least 1, got 0":     func() { fan.ByKey(ctx, 0, count(1), func(int) int { return 0 }, square) },
		"fan: ByKey: input must not be nil":           func() { fan.ByKey(ctx, 1, nil, func(int) int { return 0 }, square) },
		"fan: ForEach: input must not be nil":         func() { _ = fan.ForEach(ctx, 1, nil, func(context.Context, int) error { return nil }) },
		"fan: ByKey: function must not be nil":        func() { fan.ByKey[int](ctx, 1, count(1), nil, square) },
		"fan: First: function must not be nil":        func() { _, _ = fan.First[int](ctx, nil) },
		"fan: First: context must not be nil":         func() { _, _ = fan.First[int](none) },
		"fan: Quorum: k must be at least 1, got 0":    func() { _, _ = fan.Quorum[int](ctx, 0) },
		"fan: Reduce: n must be at least 1, got 0":    func() { _, _ = fan.Reduce(ctx, 0, numbers(1), zero, fold, merge) },
		"fan: Reduce: function must not be nil":       func() { _, _ = fan.Reduce(ctx, 1, numbers(1), zero, fold, nil) },
	}
	testkit.Panics(t, tests)
}

// C7: time in a bubble moves while everybody waits.
func TestC7TimeMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err := fan.ForEach(t.Context(), 4, count(12), func(context.Context, int) error { time.Sleep(time.Hour); return nil })
		if err != nil || time.Since(start) != 3*time.Hour {
			t.Errorf("%v after %v, want 3h", err, time.Since(start))
		}
	})
}

// C9: results come typed.
func TestC9Typed(t *testing.T) {
	type length int
	lengths, err := fan.Map(t.Context(), 2, []string{"a", "bb"}, func(_ context.Context, s string) (length, error) { return length(len(s)), nil })
	equal(t, "lengths", []length{1, 2}, lengths)
	equal(t, "error", nil, err)
}

// F2: an element that blocks keeps nobody waiting: others join, also under a real
// clock, where they do so by a timer.
func TestF2OthersJoinABlockedElement(t *testing.T) {
	testkit.Watchdog(t, func() {
		for range 20 {
			const n = 4
			var at sync.WaitGroup
			at.Add(n)
			_, err := fan.Map(t.Context(), n, numbers(n), func(_ context.Context, v int) (int, error) {
				at.Done()
				at.Wait() // for all of them
				return v, nil
			})
			equal(t, "error", nil, err)
		}
	})
}

// F2: those who have nothing left to do get a part of what others have claimed,
// also when the dear elements are neighbours.
func TestF2DearNeighboursAreShared(t *testing.T) {
	for _, at := range []int{0, 300, 700, 900} {
		synctest.Test(t, func(t *testing.T) {
			const n, size, dear = 4, 1000, 100
			start := time.Now()
			_, err := fan.Map(t.Context(), n, numbers(size), func(_ context.Context, v int) (int, error) {
				if v >= at && v < at+dear {
					time.Sleep(time.Second)
				}
				return v, nil
			})
			if d := time.Since(start); err != nil || d > (dear/n+8)*time.Second {
				t.Errorf("from %d: took %v, the ideal is %v; %v", at, d, dear/n*time.Second, err)
			}
		})
	}
}

// C2: an ended context is noticed between elements, at any time.
func TestC2MapNoticesTheEndBetweenElements(t *testing.T) {
	for _, n := range []int{1, 4} {
		synctest.Test(t, func(t *testing.T) {
			cause := errors.New("enough")
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(10*time.Second+time.Millisecond, func() { cancel(cause) })
			var begun testkit.Gauge
			_, err := fan.Map(ctx, n, numbers(1000), func(context.Context, int) (int, error) {
				begun.Enter()
				time.Sleep(time.Second) // does not look at its context
				return 0, nil
			})
			if !errors.Is(err, cause) || begun.Now() != 11*n {
				t.Errorf("%d by %d begun in 10 s, %v", begun.Now(), n, err)
			}
		})
	}
}

// The context of the calls is one like any other: it ends with the first error,
// it has values, a cause, and children that end with it.
func TestMapContext(t *testing.T) {
	type key struct{}
	parent := context.WithValue(t.Context(), key{}, 7)
	var kept context.Context
	begun := make(chan struct{})
	_, err := fan.Map(parent, 2, numbers(2), func(ctx context.Context, v int) (int, error) {
		if ctx.Value(key{}) != 7 || ctx.Err() != nil {
			t.Errorf("value %v, error %v", ctx.Value(key{}), ctx.Err())
		}
		if v == 0 {
			close(begun)
			child, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			<-child.Done() // ends with the other's error
			if kept = ctx; !errors.Is(context.Cause(child), errItem) || !errors.Is(context.Cause(ctx), errItem) || ctx.Err() != context.Canceled {
				t.Errorf("causes %v and %v", context.Cause(child), context.Cause(ctx))
			}
			return 0, child.Err()
		}
		<-begun
		return 0, errItem
	})
	if !errors.Is(err, errItem) {
		t.Errorf("got %v", err)
	}
	if kept.Err() == nil {
		t.Error("the context outlives the call")
	}
	var early context.Context
	_, _ = fan.Map(t.Context(), 1, numbers(1), func(ctx context.Context, _ int) (int, error) { early = ctx; return 0, nil })
	select {
	case <-early.Done():
	default:
		t.Error("a context that nobody had asked for Done does not end with the call")
	}
}
