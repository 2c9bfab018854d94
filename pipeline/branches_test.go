package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pipeline"
)

func parity(v int) bool { return v%2 == 0 }

// wide is a chain with everything in it that has goroutines of its own. at is
// called with each item in the middle; each item comes out once, in any order.
func wide(at func(ctx context.Context, v int) error) pipeline.Stage[int, int] {
	here := pipeline.Map(func(ctx context.Context, v int) (int, error) { return v, at(ctx, v) })
	emit := func(_ context.Context, v int, emit func(int) error) error { return emit(v) }
	return pipeline.Then(
		pipeline.Then(
			pipeline.Split(parity, map[bool]pipeline.Stage[int, int]{
				true:  pipeline.Fuse(add(0), here),
				false: pipeline.Then(pipeline.FlatMap(emit, pipeline.WithWorkers(2)), here),
			}),
			pipeline.Zip(add(1, pipeline.WithWorkers(2)), add(2), func(a, b int) int { return a + b - 3 - (a - 1) })),
		pipeline.Then(
			pipeline.ByKey(3, func(v int) int { return v % 5 }, pipeline.FlatMap(emit, pipeline.WithWorkers(2), pipeline.Unordered())),
			pipeline.Then(pipeline.Batch[int](3, time.Millisecond), pipeline.Unbatch[int]())))
}

// L4, C4, FL13: leaving early, in every way and at every item, cancels and joins all
// branches too. The bubble fails if anything is left.
func TestL4EveryEndOfBranches(t *testing.T) {
	const n = 12
	forever := context.Background() // the end of a test would end what is left
	for at := range n {
		for name, end := range map[string]func() error{
			"nothing": func() error { return nil },
			"error":   func() error { return errItem },
			"panic":   func() error { panic("boom") },
			"Goexit":  func() error { runtime.Goexit(); return nil },
		} {
			synctest.Test(t, func(t *testing.T) {
				seen := testkit.NewLedger(n)
				err := wide(func(_ context.Context, v int) error {
					if v == at {
						return end()
					}
					return nil
				}).ForEach(forever, count(n), func(_ context.Context, v int) error { seen.Note(v); return nil })
				seen.AtMostOnce(t)
				_, panicked := errors.AsType[*pipeline.PanicError](err)
				switch name {
				case "nothing":
					if seen.ExactlyOnce(t); err != nil {
						t.Error(err)
					}
				case "error":
					if !errors.Is(err, errItem) {
						t.Errorf("at %d: %v", at, err)
					}
				case "panic":
					if !panicked {
						t.Errorf("at %d: %v", at, err)
					}
				case "Goexit":
					if !errors.Is(err, pipeline.ErrGoexit) {
						t.Errorf("at %d: %v", at, err)
					}
				}
			})
		}
		synctest.Test(t, func(t *testing.T) { // break
			got := 0
			for _, err := range wide(func(context.Context, int) error { return nil }).Run(forever, pipeline.Seq(endless(new(error)))) {
				if err != nil {
					t.Fatal(err)
				}
				if got++; got > at {
					break
				}
			}
		})
		synctest.Test(t, func(t *testing.T) { // Take
			out, err := wide(func(context.Context, int) error { return nil }).Take(at+1).Collect(forever, pipeline.Seq(endless(new(error))))
			if len(out) != at+1 || err != nil {
				t.Errorf("take %d: %v, %v", at+1, out, err)
			}
		})
		synctest.Test(t, func(t *testing.T) { // cancel
			ctx, cancel := context.WithCancel(forever)
			_, err := wide(func(_ context.Context, v int) error {
				if v == at {
					cancel()
				}
				return nil
			}).Collect(ctx, pipeline.Seq(endless(new(error))))
			if err != context.Canceled {
				t.Errorf("cancel at %d: %v", at, err)
			}
		})
	}
}

// Every item once through all kinds of branches, under load.
func TestChaosConservesItemsOfBranches(t *testing.T) {
	n := 20_000
	if testing.Short() {
		n = 2_000
	}
	seen := testkit.NewLedger(n)
	testkit.Watchdog(t, func() {
		err := wide(func(context.Context, int) error { return nil }).
			ForEach(t.Context(), count(n), func(_ context.Context, v int) error { seen.Note(v); return nil })
		if err != nil {
			t.Error(err)
		}
	})
	seen.ExactlyOnce(t)
}

// L1: branches run in parallel, and those of one key in order.
func TestL1BranchesRunInParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := pipeline.Map(func(_ context.Context, v int) (int, error) { time.Sleep(time.Second); return v, nil })
		start := time.Now()
		out, err := pipeline.Split(parity, map[bool]pipeline.Stage[int, int]{true: slow, false: slow}).Collect(t.Context(), count(20))
		if d := time.Since(start); d != 10*time.Second || err != nil {
			t.Errorf("took %v, %v", d, err)
		}
		for _, rest := range []int{0, 1} {
			var got []int
			for _, v := range out {
				if v%2 == rest {
					got = append(got, v)
				}
			}
			if !slices.IsSorted(got) || len(got) != 10 {
				t.Errorf("branch %d: %v", rest, got)
			}
		}
		start = time.Now()
		zipped, err := pipeline.Zip(slow, slow, func(a, b int) int { return a - b }).Collect(t.Context(), count(10))
		if d := time.Since(start); d != 10*time.Second || err != nil || !slices.Equal(zipped, make([]int, 10)) {
			t.Errorf("zip took %v: %v, %v", d, zipped, err)
		}
	})
}

// L4: a branch that has had enough drops what else is for it; when all have,
// upstream is cancelled.
func TestL4BranchesThatHaveEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		take := func(n int) pipeline.Stage[int, int] { return add(0).Take(n) }
		out, err := pipeline.Split(parity, map[bool]pipeline.Stage[int, int]{true: take(2), false: add(0)}).Collect(t.Context(), count(20))
		slices.Sort(out)
		if diff := cmp.Diff([]int{0, 1, 2, 3, 5, 7, 9, 11, 13, 15, 17, 19}, out); diff != "" || err != nil {
			t.Errorf("error %v (-want +got):\n%s", err, diff)
		}
		var drained error
		out, err = pipeline.Merge(take(3), take(1), take(0)).Collect(t.Context(), pipeline.Seq(endless(&drained)))
		slices.Sort(out)
		if diff := cmp.Diff([]int{0, 0, 1, 2}, out); diff != "" || err != nil || drained != nil {
			t.Errorf("error %v, %v (-want +got):\n%s", err, drained, diff)
		}
	})
}

// An item without a branch ends the run, and says so.
func TestSplitWithoutABranch(t *testing.T) {
	s := pipeline.Split(func(v int) string { return fmt.Sprint("k", v%3) }, map[string]pipeline.Stage[int, int]{"k0": add(0), "k1": add(0)})
	_, err := s.Collect(t.Context(), count(9))
	if !errors.Is(err, pipeline.ErrNoBranch) || !strings.Contains(err.Error(), `stage "split"`) || !strings.Contains(err.Error(), "k2") {
		t.Errorf("got %v", err)
	}
	_, err = pipeline.ByKey(2, func(int) int { panic("key") }, add(0)).Collect(t.Context(), count(3))
	if _, ok := errors.AsType[*pipeline.PanicError](err); !ok || !strings.Contains(err.Error(), `stage "by key"`) {
		t.Errorf("got %v", err)
	}
}

// L5: Zip joins what belongs together, whatever the branches do.
func TestL5ZipKeepsPairs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait := func(mod int) pipeline.Stage[int, int] {
			return pipeline.MapOr(func(_ context.Context, v int) (int, error) {
				time.Sleep(time.Duration(v % mod))
				if v%11 == 0 {
					return 0, errItem
				}
				return v, nil
			}, func(_ context.Context, f pipeline.Failure[int]) (int, error) { return f.Item, nil }, pipeline.WithWorkers(mod))
		}
		out, err := pipeline.Zip(wait(3), pipeline.Then(wait(7).Buffer(2), wait(2)), func(a, b int) int { return a - b }).Collect(t.Context(), count(300))
		if len(out) != 300 || slices.ContainsFunc(out, func(d int) bool { return d != 0 }) || err != nil {
			t.Errorf("%d pairs, %v", len(out), err)
		}
	})
}

// Zip takes branches that keep pairs together, and no others.
func TestC5ZipRejectsWhatBreaksPairs(t *testing.T) {
	skip := pipeline.WithErrorHandler(func(error) pipeline.ErrorAction { return pipeline.Skip })
	for _, s := range []pipeline.Stage[int, int]{
		add(1).Filter(func(context.Context, int) (bool, error) { return true, nil }),
		add(1).Take(3),
		add(1, pipeline.WithWorkers(2), pipeline.Unordered()),
		add(1, skip),
		pipeline.FlatMap(func(_ context.Context, v int, emit func(int) error) error { return emit(v) }),
		pipeline.Merge(add(1)),
	} {
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "one item for each it gets") {
					t.Errorf("%v: recovered %v", s, r)
				}
			}()
			pipeline.Zip(add(1), s, func(a, b int) int { return a })
		}()
	}
}

// C5: the stages of several parts say what is wrong, and which option does not apply.
func TestC5MisuseOfCombinators(t *testing.T) {
	var zero pipeline.Stage[int, int]
	one := map[bool]pipeline.Stage[int, int]{true: zero}
	join := func(a, b int) int { return a + b }
	letter := func(_ context.Context, f pipeline.Failure[int]) (int, error) { return 0, f.Err }
	open := func(context.Context) (int, error) { return 0, nil }
	each := func(context.Context, int, int, func(int) error) error { return nil }
	done := func(context.Context, int, func(int) error) error { return nil }
	testkit.Panics(t, map[string]func(){
		"pipeline: Fuse: both stages must work on one goroutine each, got map(2 workers)": func() { pipeline.Fuse(add(1), add(1, pipeline.WithWorkers(2))) },
		"pipeline: Fuse: both stages must work on one goroutine each, got map → map":      func() { pipeline.Fuse(pipeline.Then(add(1), add(1)), add(1)) },
		"pipeline: Fuse: the zero Stage is not usable, make one with Map, Filter, …":      func() { pipeline.Fuse(add(1), zero) },
		"pipeline: Fuse: both stages must work on one goroutine each, got map":            func() { pipeline.Fuse(add(1).Observe(new(pipeline.Observer)), add(1)) },
		"pipeline: Split: function must not be nil":                                       func() { pipeline.Split(nil, one) },
		"pipeline: Split: there must be at least one branch":                              func() { pipeline.Split(parity, map[bool]pipeline.Stage[int, int]{}) },
		"pipeline: Split: the zero Stage is not usable, make one with Map, Filter, …":     func() { pipeline.Split(parity, one) },
		"pipeline: Merge: there must be at least one branch":                              func() { pipeline.Merge[int, int]() },
		"pipeline: ByKey: function must not be nil":                                       func() { pipeline.ByKey[int](1, nil, add(1)) },
		"pipeline: ByKey: lanes must be at least 1, got 0":                                func() { pipeline.ByKey(0, parity, add(1)) },
		"pipeline: Zip: function must not be nil":                                         func() { pipeline.Zip[int, int, int, int](add(1), add(1), nil) },
		"pipeline: Zip: the zero Stage is not usable, make one with Map, Filter, …":       func() { pipeline.Zip(add(1), zero, join) },
		"pipeline: MapOr: function must not be nil":                                       func() { pipeline.MapOr[int](nil, letter) },
		"pipeline: MapOr: second function must not be nil":                                func() { pipeline.MapOr(plus(1), nil) },
		"pipeline: OnDiscard: function must not be nil":                                   func() { pipeline.OnDiscard[int](nil) },
		"pipeline: Stateful: open must not be nil":                                        func() { pipeline.Stateful[int](nil, each, done, nil) },
		"pipeline: Stateful: each must not be nil":                                        func() { pipeline.Stateful[int, int](open, nil, done, nil) },
		"pipeline: Stateful: end must not be nil":                                         func() { pipeline.Stateful(open, each, nil, nil) },
		"pipeline: Stateful: WithWorkers does not apply to this stage": func() {
			pipeline.Stateful(open, each, done, nil, pipeline.WithWorkers(1))
		},
		"pipeline: Stateful: WithRetry does not apply to this stage": func() {
			pipeline.Stateful(open, each, done, nil, pipeline.WithRetry(pipeline.RetryPolicy{Attempts: 1}))
		},
		"pipeline: Batch: WithTimeout does not apply to this stage": func() { pipeline.Batch[int](1, 0, pipeline.WithTimeout(1)) },
		"pipeline: Zip: WithErrorHandler does not apply to this stage": func() {
			pipeline.Zip(add(1), add(1), join, pipeline.WithErrorHandler(func(error) pipeline.ErrorAction { return pipeline.Stop }))
		},
	})
}

// L7: an item that failed is replaced, or dropped after its failure has been seen, with its
// error and its attempts; an error of the second function ends the run.
func TestL7MapOr(t *testing.T) {
	for _, workers := range [][]pipeline.Option{nil, {pipeline.WithWorkers(3)}} {
		for name, how := range map[string]func() error{
			"error":  func() error { return errItem },
			"panic":  func() error { panic("boom") },
			"goexit": func() error { runtime.Goexit(); return nil },
		} {
			var o pipeline.Observer
			letters := testkit.NewLedger(30)
			third := func(_ context.Context, v int) (int, error) {
				if v%3 != 0 {
					return v, how()
				}
				return v, nil
			}
			attempts := 1
			if name == "error" {
				attempts = 4
			}
			s := pipeline.MapOr(third, func(_ context.Context, f pipeline.Failure[int]) (int, error) {
				if letters.Note(f.Item); f.Err == nil || f.Attempts != attempts {
					t.Errorf("%s: %+v", name, f)
				}
				return 0, fmt.Errorf("put aside: %w", pipeline.ErrSkip)
			}, append(workers, pipeline.WithRetry(pipeline.RetryPolicy{Attempts: 4}))...).Observe(&o)
			out, err := s.Collect(t.Context(), count(30))
			if len(out) != 10 || letters.Total() != 20 || err != nil {
				t.Errorf("%d results, %d letters, %v", len(out), letters.Total(), err)
			}
			letters.AtMostOnce(t)
			for v := range 30 {
				if letters.Seen(v) != min(1, v%3) {
					t.Errorf("%d letters for item %d", letters.Seen(v), v)
				}
			}
			if st := o.Stats()[0]; st.Done != 10 || st.Skipped != 20 || st.Failed != 0 {
				t.Errorf("%+v", st)
			}

			replaced := pipeline.MapOr(third, func(context.Context, pipeline.Failure[int]) (int, error) { return -1, nil }, workers...)
			out, err = replaced.Collect(t.Context(), count(6))
			if diff := cmp.Diff([]int{0, -1, -1, 3, -1, -1}, out); diff != "" || err != nil {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		}
	}
	fails := func(context.Context, int) (int, error) { return 0, errItem }
	other := errors.New("translated")
	or := func(context.Context, pipeline.Failure[int]) (int, error) { return 0, other }
	_, err := pipeline.MapOr(fails, or).Collect(t.Context(), count(3))
	if !errors.Is(err, other) || !errors.Is(err, errItem) {
		t.Errorf("got %v", err)
	}
	asked := 0
	out, err := pipeline.MapOr(fails, or, pipeline.WithErrorHandler(func(err error) pipeline.ErrorAction {
		if asked++; !errors.Is(err, other) || !errors.Is(err, errItem) {
			t.Errorf("the handler saw %v", err)
		}
		return pipeline.Skip
	})).Collect(t.Context(), count(3))
	if len(out) != 0 || err != nil || asked != 3 {
		t.Errorf("%v, %v, handler asked %d times", out, err, asked)
	}
}

// Fused stages do what the same ones on goroutines of their own do: order,
// errors with names, counts, retries, all of it.
func TestFusedEqualsUnfused(t *testing.T) {
	build := func(join func(a, b pipeline.Stage[int, int]) pipeline.Stage[int, int], o *pipeline.Observer, end func(v int) error) pipeline.Stage[int, int] {
		skip := pipeline.WithErrorHandler(func(err error) pipeline.ErrorAction {
			if errors.Is(err, errItem) {
				return pipeline.Stop
			}
			return pipeline.Skip
		})
		twice := pipeline.FlatMap(func(_ context.Context, v int, emit func(int) error) error {
			return errors.Join(emit(v), emit(v))
		}, pipeline.WithName("twice"))
		fail := pipeline.Map(func(_ context.Context, v int) (int, error) { return v, end(v) }, pipeline.WithName("fail"), skip)
		odd := pipeline.Filter(func(_ context.Context, v int) (bool, error) { return v%2 == 1, nil })
		s := join(join(add(1), odd), join(fail, twice))
		return join(s, pipeline.Tap(func(int) {})).Take(25).Observe(o)
	}
	for name, end := range map[string]func(int) error{
		"nothing": func(int) error { return nil },
		"skip":    func(v int) error { return map[bool]error{true: errors.New("small")}[v%4 == 1] },
		"panic": func(v int) error {
			if v%4 == 1 {
				panic(v)
			}
			return nil
		},
		"Goexit": func(v int) error {
			if v%4 == 1 {
				runtime.Goexit()
			}
			return nil
		},
		"stop": func(v int) error { return map[bool]error{true: errItem}[v == 9] },
	} {
		t.Run(name, func(t *testing.T) {
			var of, ou pipeline.Observer
			fused, ferr := build(pipeline.Fuse[int, int, int], &of, end).Collect(t.Context(), count(100))
			apart, aerr := build(pipeline.Then[int, int, int], &ou, end).Collect(t.Context(), count(100))
			if name == "stop" {
				if !errors.Is(ferr, errItem) || !errors.Is(aerr, errItem) || ferr.Error() != aerr.Error() {
					t.Errorf("fused: %v, apart: %v", ferr, aerr)
				}
				return
			}
			if diff := cmp.Diff(apart, fused); diff != "" || ferr != nil || aerr != nil || len(fused) != 25 {
				t.Errorf("errors %v and %v (-apart +fused):\n%s", ferr, aerr, diff)
			}
			f := of.Stats()
			if len(f) != 6 || f[3].Name != "twice" || f[5].Out != 25 || f[2].Failed > 0 || (f[2].Skipped > 0) != (name != "nothing") {
				t.Errorf("stages %+v", f)
			}
		})
	}
}

// The goroutines of fused stages are one, and a Take, a Batch and an Unbatch
// cost none.
func TestFusedStagesShareAGoroutine(t *testing.T) {
	// bubble counts the goroutines of the caller's bubble alone: one of another
	// test may be ending anywhere else.
	bubble := func() int {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		head, _, _ := bytes.Cut(stacks, []byte("\n")) // "goroutine 7 [running, synctest bubble 1]:"
		_, mark, ok := bytes.Cut(head, []byte("synctest bubble "))
		if !ok {
			t.Fatalf("no bubble in %q", head)
		}
		return bytes.Count(stacks, append([]byte("synctest bubble "), mark...))
	}
	// running returns how many goroutines a run has while all of it is parked.
	running := func(s pipeline.Stage[int, int]) (n int) {
		synctest.Test(t, func(t *testing.T) {
			before := bubble()
			counted := make(chan struct{})
			err := s.ForEach(t.Context(), pipeline.Seq(func(yield func(int) bool) {
				yield(1)
				<-counted // or some would have ended by then
			}), func(context.Context, int) error {
				synctest.Wait()
				n = bubble() - before
				close(counted)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		return n
	}
	one := running(add(1))
	for name, tt := range map[string]struct {
		stage pipeline.Stage[int, int]
		want  int
	}{
		"two":     {pipeline.Then(add(1), add(1)), one + 1},
		"taken":   {add(1).Take(99), one},
		"fused":   {pipeline.Fuse(pipeline.Fuse(add(1), add(1)), add(1)).Take(99), one},
		"batched": {pipeline.Then(pipeline.Then(add(1), pipeline.Batch[int](1, 0)), pipeline.Then(pipeline.Unbatch[int](), add(1))), one + 1},
	} {
		if n := running(tt.stage); n != tt.want {
			t.Errorf("%s: %d goroutines, want %d", name, n, tt.want)
		}
	}
}

// L1: what is fused by itself costs no parallelism: a Batch fills while the batch
// before it is worked on, and an Unbatch goes on while the next slice is made.
func TestL1BatchesFillWhileOthersAreWorkedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(_ context.Context, b []int) ([]int, error) { time.Sleep(100 * time.Second); return b, nil }
		make1 := pipeline.Map(func(_ context.Context, v int) (int, error) { time.Sleep(time.Second); return v, nil })
		s := pipeline.Then(pipeline.Then(make1, pipeline.Batch[int](100, 0)),
			pipeline.Then(pipeline.Map(slow), pipeline.Then(pipeline.Unbatch[int](), make1)))
		start := time.Now()
		out, err := s.Collect(t.Context(), count(1000))
		// Ten batches of 100 s through three stages of 100 s each.
		if d := time.Since(start); d > 1210*time.Second || len(out) != 1000 || err != nil {
			t.Errorf("%d results, %v, after %v", len(out), err, d)
		}
	})
}

// An observer tells where the time goes, while the chain runs and after it.
func TestObserverTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o pipeline.Observer
		quick := pipeline.Map(func(_ context.Context, v int) (int, error) { time.Sleep(time.Second); return v, nil }, pipeline.WithName("quick"))
		slow := pipeline.Map(func(_ context.Context, v int) (int, error) { time.Sleep(10 * time.Second); return v, nil }, pipeline.WithName("slow"))
		s := pipeline.Then(quick, pipeline.Then(slow, add(0, pipeline.WithWorkers(2), pipeline.WithName("pair")))).Observe(&o)
		time.AfterFunc(5000*time.Second+time.Millisecond, func() {
			st := o.Stats()
			if st[1].In != 500 || st[1].Out != 499 && st[1].Out != 500 || st[1].Depth < 10 || st[1].Busy < 4990*time.Second {
				t.Errorf("half-way: %+v", st[1])
			}
			if chart := s.Mermaid(); !strings.Contains(chart, "style s1 stroke-width:4px") {
				t.Errorf("the bottleneck is not marked:\n%s", chart)
			}
		})
		if _, err := s.Collect(t.Context(), count(1000)); err != nil {
			t.Error(err)
		}
		st := o.Stats()
		if st[0].Busy != 1000*time.Second || st[0].Blocked < 8000*time.Second {
			t.Errorf("quick: %+v", st[0])
		}
		if st[1].Busy != 10_000*time.Second || st[1].Blocked != 0 || st[1].Waiting != time.Second {
			t.Errorf("slow: %+v", st[1])
		}
		if st[2].Busy != 0 || st[2].Waiting < 10_000*time.Second || st[2].Workers != 2 {
			t.Errorf("pair: %+v", st[2])
		}
		chart := s.Mermaid()
		for _, part := range []string{"style s1", "1000 in, 1000 out", "busy 100%, blocked 0%, waiting 0%", "s0 --> s1"} {
			if !strings.Contains(chart, part) {
				t.Errorf("%q is not in\n%s", part, chart)
			}
		}
	})
}

// A stage that is done early is no bottleneck though it has been at work for all
// of its time.
func TestMermaidMarksTheSlowest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o pipeline.Observer
		pause := func(d time.Duration) func(context.Context, int) (int, error) {
			return func(_ context.Context, v int) (int, error) { time.Sleep(d); return v, nil }
		}
		s := pipeline.Then(pipeline.Map(pause(time.Millisecond)).Buffer(100),
			pipeline.Map(pause(time.Second), pipeline.WithWorkers(4), pipeline.WithName("slow"))).Observe(&o)
		if _, err := s.Collect(t.Context(), count(50)); err != nil {
			t.Error(err)
		}
		if chart := s.Mermaid(); !strings.Contains(chart, "style s2 ") {
			t.Error(chart)
		}
	})
}

// Shapes with branches are drawn, in one line and as a chart.
func TestShapeOfBranches(t *testing.T) {
	s := pipeline.Then(pipeline.Fuse(add(1), add(2)), pipeline.Then(
		pipeline.Split(parity, map[bool]pipeline.Stage[int, int]{true: pipeline.Then(add(3), add(4)), false: add(5)}),
		pipeline.Zip(add(6), add(7), func(a, b int) int { return a })))
	if got, want := s.String(), "map + map → split(false: map | true: map → map) → zip(map | map)"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	want := `flowchart LR
    s0["map"]
    s1["map"]
    s2["split"]
    s3["map"]
    s4["map"]
    s5["map"]
    s6["tee"]
    s7["map"]
    s8["map"]
    s9["zip"]
    s0 ==> s1
    s1 --> s2
    s2 -->|false| s3
    s2 -->|true| s4
    s4 --> s5
    s3 --> s6
    s5 --> s6
    s6 --> s7
    s6 --> s8
    s7 --> s9
    s8 --> s9
`
	if diff := cmp.Diff(want, s.Mermaid()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Nothing is allocated for an item.
func TestAllocations(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector allocates")
	}
	for name, s := range map[string]pipeline.Stage[int, int]{
		"three stages": pipeline.Then(add(1), pipeline.Then(add(1), add(1))),
		"ordered":      add(1, pipeline.WithWorkers(4)),
		"unordered":    add(1, pipeline.WithWorkers(4), pipeline.Unordered()),
		"split":        pipeline.Split(parity, map[bool]pipeline.Stage[int, int]{true: add(1), false: add(1)}),
	} {
		cost := func(items int) float64 {
			return testing.AllocsPerRun(5, func() {
				for _, err := range s.Run(t.Context(), count(items)) {
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		// A link that grows allocates a few times in all.
		if small, large := cost(1_000), cost(50_000); large > small+150 {
			t.Errorf("%s: %v allocations for 1,000 items, %v for 50,000", name, small, large)
		}
	}
}

// An observer counts what goes through branches and fused stages, too.
func TestObserverCountsBranches(t *testing.T) {
	var o pipeline.Observer
	name := pipeline.WithName
	odd := func(_ context.Context, v int) (bool, error) { return v%2 == 1, nil }
	s := pipeline.Then(
		pipeline.Fuse(add(0, name("first")), pipeline.Filter(odd)),
		pipeline.Then(
			pipeline.Split(func(v int) bool { return v < 20 }, map[bool]pipeline.Stage[int, int]{
				true:  pipeline.Merge(add(0, name("a")), add(0, name("b"), pipeline.WithWorkers(2))),
				false: add(0, name("c")),
			}),
			pipeline.Zip(add(0, name("left")), add(0, name("right")), func(a, _ int) int { return a }))).Observe(&o)
	out, err := s.Collect(t.Context(), count(100))
	if len(out) != 60 || err != nil {
		t.Fatalf("%d results, %v", len(out), err)
	}
	want := pipeline.Stats{
		{Name: "first", In: 100, Done: 100, Out: 100},
		{Name: "filter", In: 100, Done: 50, Skipped: 50, Out: 50},
		{Name: "split", In: 50, Done: 50, Out: 50},
		{Name: "c", In: 40, Done: 40, Out: 40},
		{Name: "merge", In: 10, Done: 10, Out: 20},
		{Name: "a", In: 10, Done: 10, Out: 10},
		{Name: "b", In: 10, Done: 10, Out: 10},
		{Name: "tee", In: 60, Done: 60, Out: 120},
		{Name: "left", In: 60, Done: 60, Out: 60},
		{Name: "right", In: 60, Done: 60, Out: 60},
		{Name: "zip", In: 60, Done: 60, Out: 60},
	}
	if diff := cmp.Diff(want, o.Stats(), noTimes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
