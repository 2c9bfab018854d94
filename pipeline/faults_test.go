package pipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pipeline"
)

// C1: nothing is started before the loop over Run.
func TestC1RunIsLazy(t *testing.T) {
	pulled := false
	seq := add(1).Run(t.Context(), pipeline.Seq(func(yield func(int) bool) { pulled = true; yield(1) }))
	if pulled {
		t.Error("the source was called before the loop")
	}
	for range 3 { // each loop is a run of its own
		if n := len(slices.Collect(first(seq))); n != 1 || !pulled {
			t.Errorf("%d results", n)
		}
	}
}

func first[K, V any](seq func(func(K, V) bool)) func(func(K) bool) {
	return func(yield func(K) bool) {
		seq(func(k K, _ V) bool { return yield(k) })
	}
}

// C1: a panic or a Goexit of the loop body cancels and joins, and goes on.
func TestC1LoopBodyEndsAbruptly(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("body") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got any
				done := make(chan struct{})
				go func() {
					defer close(done)
					defer func() { got = recover() }()
					for range five(func(context.Context, int) error { return nil }).Run(t.Context(), count(1000)) {
						end()
					}
				}()
				<-done
				if name == "panic" && got != "body" {
					t.Errorf("recovered %v: the panic did not pass through", got)
				}
			})
		})
	}
}

// C2: wait and the channel of Execute end with the cause of the context.
func TestC2ExecuteEndsWithTheCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		in := make(chan int)
		out, wait := add(1).Execute(ctx, in)
		in <- 1
		if v := <-out; v != 2 {
			t.Errorf("got %d", v)
		}
		time.AfterFunc(time.Second, func() { cancel(cause) })
		if _, ok := <-out; ok {
			t.Error("a result out of nothing")
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := wait(); err != cause {
					t.Errorf("got %v, want %v", err, cause)
				}
			})
		}
		wg.Wait()
	})
}

// L3, L4, FL6: a run over a channel ends at once, by an error or because Take has
// enough, also when the channel stays open and nothing comes.
func TestL4ExecuteEndsOnAnIdleInput(t *testing.T) {
	stages := map[string]pipeline.Stage[int, int]{
		"take":  add(1).Take(1),
		"error": pipeline.Map(func(context.Context, int) (int, error) { return 0, errItem }),
	}
	for name, s := range stages {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in := make(chan int, 1) // never closed
				in <- 1
				out, wait := s.Execute(t.Context(), in)
				for range out {
				}
				if err := wait(); (name == "error") != errors.Is(err, errItem) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// C3: a stage can run pipelines inside its functions and share a recipe.
func TestC3RunsInsideRuns(t *testing.T) {
	inner := pipeline.Then(add(1), add(1))
	outer := pipeline.Map(func(ctx context.Context, v int) (int, error) {
		out, err := inner.Collect(ctx, count(v))
		return len(out), err
	}, pipeline.WithWorkers(4))
	testkit.Watchdog(t, func() {
		got, err := outer.Collect(t.Context(), count(50))
		if diff := cmp.Diff(slices.Collect(numbers(50)), got); diff != "" || err != nil {
			t.Errorf("error %v (-want +got):\n%s", err, diff)
		}
	})
}

// C4, FC3: panics and Goexit of every function become errors with the stage's name.
func TestC4PanicsAndGoexitEverywhere(t *testing.T) {
	ends := testkit.Ends()
	ends["Goexit"] = runtime.Goexit
	for name, end := range ends {
		stages := map[string]pipeline.Stage[int, int]{
			"map":      pipeline.Map(func(context.Context, int) (int, error) { end(); return 0, nil }),
			"ordered":  pipeline.Map(func(context.Context, int) (int, error) { end(); return 0, nil }, pipeline.WithWorkers(3), pipeline.WithName("ordered")),
			"filter":   pipeline.Filter(func(context.Context, int) (bool, error) { end(); return true, nil }),
			"flatmap":  pipeline.FlatMap(func(context.Context, int, func(int) error) error { end(); return nil }),
			"tap":      pipeline.Tap(func(int) { end() }),
			"throttle": pipeline.Throttle[int](func(context.Context) error { end(); return nil }),
			"handler": pipeline.Map(func(context.Context, int) (int, error) { return 0, errItem }, pipeline.WithName("handler"),
				pipeline.WithErrorHandler(func(error) pipeline.ErrorAction { end(); return pipeline.Skip })),
		}
		for kind, s := range stages {
			t.Run(name+"/"+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					_, err := s.Collect(t.Context(), count(10))
					_, panicked := errors.AsType[*pipeline.PanicError](err)
					if panicked != (name != "Goexit") || !panicked && !errors.Is(err, pipeline.ErrGoexit) {
						t.Errorf("got %v", err)
					}
					if name == "error" && !errors.Is(err, testkit.ErrEnd) {
						t.Errorf("%v does not unwrap to the value", err)
					}
					if !strings.Contains(err.Error(), fmt.Sprintf("stage %q", kind)) {
						t.Errorf("%v does not name stage %s", err, kind)
					}
				})
			})
		}
		t.Run(name+"/source", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := add(1).Collect(t.Context(), pipeline.Seq(func(yield func(int) bool) { yield(1); end() }))
				if err == nil || !strings.Contains(err.Error(), `stage "source"`) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// C4, FL5: Goexit costs no worker: the stage goes on with all of them.
func TestC4GoexitCostsNoWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := pipeline.Map(func(_ context.Context, v int) (int, error) {
			if v < 20 {
				runtime.Goexit()
			}
			time.Sleep(time.Second)
			return v, nil
		}, pipeline.WithWorkers(4), pipeline.WithErrorHandler(func(error) pipeline.ErrorAction { return pipeline.Skip }))
		start := time.Now()
		out, err := s.Collect(t.Context(), count(40))
		if len(out) != 20 || err != nil || time.Since(start) != 5*time.Second {
			t.Errorf("%d results, %v, after %v; 20 items of 1 s by 4 workers take 5 s", len(out), err, time.Since(start))
		}
	})
}

// C5, FC2: misuse panics at the call that is wrong and says what is allowed.
func TestC5MisusePanics(t *testing.T) {
	var none context.Context
	var zero pipeline.Stage[int, int]
	tests := map[string]func(){
		"pipeline: Map: function must not be nil":                                    func() { pipeline.Map[int, int](nil) },
		"pipeline: Filter: function must not be nil":                                 func() { pipeline.Filter[int](nil) },
		"pipeline: FlatMap: function must not be nil":                                func() { pipeline.FlatMap[int, int](nil) },
		"pipeline: Tap: function must not be nil":                                    func() { pipeline.Tap[int](nil) },
		"pipeline: Throttle: function must not be nil":                               func() { pipeline.Throttle[int](nil) },
		"pipeline: WithErrorHandler: function must not be nil":                       func() { pipeline.WithErrorHandler(nil) },
		"pipeline: ForEach: function must not be nil":                                func() { _ = add(1).ForEach(t.Context(), count(1), nil) },
		"pipeline: WithWorkers: workers must be at least 1, got 0":                   func() { pipeline.WithWorkers(0) },
		"pipeline: WithTimeout: duration must be positive, got 0s":                   func() { pipeline.WithTimeout(0) },
		"pipeline: WithRetry: Attempts must be at least 1, got 0":                    func() { pipeline.WithRetry(pipeline.RetryPolicy{}) },
		"pipeline: WithRetry: Delay must not be negative, got -1ns":                  func() { pipeline.WithRetry(pipeline.RetryPolicy{Attempts: 1, Delay: -1}) },
		"pipeline: Permanent: error must not be nil":                                 func() { _ = pipeline.Permanent(nil) },
		"pipeline: WithRetry: MaxDelay must not be negative, got -1ns":               func() { pipeline.WithRetry(pipeline.RetryPolicy{Attempts: 1, MaxDelay: -1}) },
		"pipeline: Take: number must not be negative, got -1":                        func() { pipeline.Take[int](-1) },
		"pipeline: Buffer: size must not be negative, got -1":                        func() { pipeline.Buffer[int](-1) },
		"pipeline: Batch: size must be at least 1, got 0":                            func() { pipeline.Batch[int](0, 0) },
		"pipeline: Batch: age must not be negative, got -1ns":                        func() { pipeline.Batch[int](1, -1) },
		"pipeline: Observe: observer must not be nil":                                func() { add(1).Observe(nil) },
		"pipeline: Run: context must not be nil":                                     func() { add(1).Run(none, count(1)) },
		"pipeline: Run: input must not be nil":                                       func() { add(1).Run(t.Context(), nil) },
		"pipeline: Seq: iterator must not be nil":                                    func() { pipeline.Seq[int](nil) },
		"pipeline: Seq2: iterator must not be nil":                                   func() { pipeline.Seq2[int](nil) },
		"pipeline: Chan: channel must not be nil":                                    func() { pipeline.Chan[int](nil) },
		"pipeline: Until: context must not be nil":                                   func() { pipeline.Until(none, count(1)) },
		"pipeline: Until: source must not be nil":                                    func() { pipeline.Until[int](t.Context(), nil) },
		"pipeline: RetryAfter: error must not be nil":                                func() { _ = pipeline.RetryAfter(nil, 1) },
		"pipeline: RetryAfter: duration must not be negative, got -1ns":              func() { _ = pipeline.RetryAfter(errItem, -1) },
		"pipeline: Collect: input must not be nil":                                   func() { _, _ = add(1).Collect(t.Context(), nil) },
		"pipeline: Execute: input must not be nil":                                   func() { add(1).Execute(t.Context(), nil) },
		"pipeline: Run: the zero Stage is not usable, make one with Map, Filter, …":  func() { zero.Run(t.Context(), count(1)) },
		"pipeline: Then: the zero Stage is not usable, make one with Map, Filter, …": func() { pipeline.Then(add(1), zero) },
	}
	testkit.Panics(t, tests)
}

// C6, FL8: leaving twice is not possible, but waiting twice and leaving while it
// fails are: no error comes out of a loop that was left, and nothing runs on.
func TestC6LeavingWhileItFails(t *testing.T) {
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			leaves := make(chan struct{})
			var in testkit.Gauge
			s := pipeline.Map(func(ctx context.Context, v int) (int, error) {
				in.Enter()
				defer in.Leave()
				switch {
				case v == 3:
					<-leaves
					return 0, errItem
				case v > 3:
					<-ctx.Done()
				}
				return v, nil
			}, pipeline.WithWorkers(3))
			for v, err := range s.Run(t.Context(), count(10)) {
				if err != nil {
					t.Errorf("%v, before anything fails", err)
				}
				if v == 2 {
					close(leaves)
					break
				}
			}
			if in.Now() != 0 {
				t.Errorf("%d functions still run", in.Now())
			}
		})
	}
}

// C7: a run that waits is durably blocked: time in a bubble moves on.
func TestC7TimeMovesWhileStagesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := pipeline.Then(add(1, pipeline.WithWorkers(3)), pipeline.Batch[int](100, time.Hour))
		out, err := s.Collect(t.Context(), pipeline.Seq(func(yield func(int) bool) {
			for i := range 3 {
				yield(i)
				time.Sleep(24 * time.Hour)
			}
		}))
		if len(out) != 3 || err != nil || time.Since(start) != 72*time.Hour {
			t.Errorf("%v, %v after %v", out, err, time.Since(start))
		}
	})
}

// A blob is large enough to be an object of its own.
type blob [1 << 12]byte

// C8, FL10: items that have passed are garbage while the run goes on.
func TestC8PassedItemsAreGarbage(t *testing.T) {
	var refs []weak.Pointer[blob]
	in := make(chan *blob)
	s := pipeline.Then(
		pipeline.Map(func(_ context.Context, b *blob) (*blob, error) { return b, nil }, pipeline.WithWorkers(2)),
		pipeline.Map(func(context.Context, *blob) (*blob, error) { return nil, nil }))
	out, wait := s.Execute(t.Context(), in)
	for range 20 {
		b := new(blob)
		refs = append(refs, weak.Make(b))
		in <- b
		<-out
	}
	// Whatever holds the last item of something holds none now. They are too few to
	// go round in a link, and take the places of those before them.
	for range 8 {
		in <- nil
		<-out
	}
	runtime.GC()
	for i, r := range refs {
		if r.Value() != nil {
			t.Errorf("item %d is still reachable", i)
		}
	}
	close(in)
	if err := wait(); err != nil {
		t.Error(err)
	}
}

// C9: types flow through with no assertion.
func TestC9TypesFlow(t *testing.T) {
	s := pipeline.Then(
		pipeline.Map(func(_ context.Context, s string) (int, error) { return len(s), nil }),
		pipeline.Then(pipeline.Batch[int](2, 0),
			pipeline.Map(func(_ context.Context, b []int) (int, error) { return len(b), nil })))
	var out []int
	out, err := s.Collect(t.Context(), pipeline.Values("a", "b", "c"))
	if diff := cmp.Diff([]int{2, 1}, out); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}

// Retry tries again with pauses within the bounds, and gives up.
func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls []time.Duration
		start := time.Now()
		s := pipeline.Map(func(context.Context, int) (int, error) {
			calls = append(calls, time.Since(start))
			return 0, errItem
		}, pipeline.WithRetry(pipeline.RetryPolicy{Attempts: 5, Delay: time.Second, MaxDelay: 3 * time.Second}))
		_, err := s.Collect(t.Context(), count(1))
		if !errors.Is(err, errItem) || len(calls) != 5 {
			t.Fatalf("%d calls, %v", len(calls), err)
		}
		for i, most := range []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 3 * time.Second} {
			if d := calls[i+1] - calls[i]; d < 0 || d > most {
				t.Errorf("pause %d was %v, the bound is %v", i+1, d, most)
			}
		}
	})
}

// An error that is marked is not tried again, also if it is wrapped, and is what the
// run ends with.
func TestRetryEndsAtAPermanentError(t *testing.T) {
	calls := 0
	s := pipeline.Map(func(context.Context, int) (int, error) {
		if calls++; calls < 3 {
			return 0, errItem
		}
		return 0, fmt.Errorf("wrapped: %w", pipeline.Permanent(errItem))
	}, pipeline.WithRetry(pipeline.RetryPolicy{Attempts: 9}))
	_, err := s.Collect(t.Context(), count(1))
	if calls != 3 || !errors.Is(err, errItem) || !strings.HasSuffix(err.Error(), "wrapped: "+errItem.Error()) {
		t.Errorf("%d calls, %v", calls, err)
	}
}

// FL9: what must not be tried again is not.
func TestRetryLimits(t *testing.T) {
	policy := pipeline.WithRetry(pipeline.RetryPolicy{Attempts: 9, Delay: time.Hour})
	calls := 0
	tests := map[string]pipeline.Stage[int, int]{
		"panic": pipeline.Map(func(context.Context, int) (int, error) { calls++; panic(1) }, policy),
		"Goexit": pipeline.Map(func(context.Context, int) (int, error) {
			calls++
			runtime.Goexit()
			return 0, nil
		}, policy),
		"emitted": pipeline.FlatMap(func(_ context.Context, v int, emit func(int) error) error {
			calls++
			_ = emit(v)
			return errItem
		}, policy),
	}
	for name, s := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls = 0
				if _, err := s.Collect(t.Context(), count(1)); err == nil || calls != 1 {
					t.Errorf("%d calls, %v", calls, err)
				}
			})
		})
	}
	t.Run("cancel during the pause", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			calls = 0
			s := pipeline.Map(func(context.Context, int) (int, error) {
				calls++
				time.AfterFunc(time.Nanosecond, cancel)
				return 0, errItem
			}, pipeline.WithRetry(pipeline.RetryPolicy{Attempts: 2, Delay: 1 << 62}))
			if _, err := s.Collect(ctx, count(1)); !errors.Is(err, context.Canceled) || !errors.Is(err, errItem) || calls != 1 {
				t.Errorf("%d calls, %v", calls, err)
			}
		})
	})
}

// Timeout bounds each attempt, and says so.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		s := pipeline.Map(func(ctx context.Context, v int) (int, error) {
			if attempts++; attempts == 3 {
				return v, nil
			}
			<-ctx.Done()
			return 0, ctx.Err()
		}, pipeline.WithTimeout(time.Second), pipeline.WithRetry(pipeline.RetryPolicy{Attempts: 3}))
		start := time.Now()
		if out, err := s.Collect(t.Context(), count(1)); err != nil || len(out) != 1 || time.Since(start) != 2*time.Second {
			t.Errorf("%v, %v after %v", out, err, time.Since(start))
		}
		attempts = -9
		_, err := s.Collect(t.Context(), count(1))
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no result within 1s") {
			t.Errorf("got %v", err)
		}
	})
}

// FL11: emit works from several goroutines of a call, and refuses late.
func TestEmitFromGoroutinesAndLate(t *testing.T) {
	for _, opts := range [][]pipeline.Option{nil, {pipeline.WithWorkers(2)}} {
		late := make(chan func(int) error, 10)
		s := pipeline.FlatMap(func(_ context.Context, v int, emit func(int) error) error {
			var wg sync.WaitGroup
			for i := range 10 {
				wg.Go(func() {
					if err := emit(10*v + i); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			late <- emit
			return nil
		}, opts...)
		testkit.Watchdog(t, func() {
			out, err := s.Collect(t.Context(), count(10))
			slices.Sort(out)
			if diff := cmp.Diff(slices.Collect(numbers(100)), out); diff != "" || err != nil {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
			if (<-late)(1) == nil {
				t.Error("a late emit was accepted")
			}
		})
	}
}

// Throttle's error ends the run; its pace is kept.
func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := add(1).Throttle(func(ctx context.Context) error { time.Sleep(time.Second); return nil })
		if out, err := s.Collect(t.Context(), count(10)); len(out) != 10 || err != nil || time.Since(start) != 10*time.Second {
			t.Errorf("%v, %v after %v", out, err, time.Since(start))
		}
		s = add(1).Throttle(func(context.Context) error { return errItem })
		if _, err := s.Collect(t.Context(), count(10)); !errors.Is(err, errItem) {
			t.Errorf("got %v", err)
		}
	})
}

// Shapes are drawn, with names escaped.
func TestShape(t *testing.T) {
	s := pipeline.Then(
		add(1, pipeline.WithName(`a "quoted" #1`), pipeline.WithWorkers(3), pipeline.Unordered()).Buffer(5).Take(9),
		pipeline.Batch[int](10, time.Second))
	if got, want := s.String(), `a "quoted" #1(3 workers, unordered) → buffer(5) → take(9) → batch(10, 1s)`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	want := `flowchart LR
    s0["a #quot;quoted#quot; #35;1(3 workers, unordered)"]
    s1["buffer(5)"]
    s2["take(9)"]
    s3["batch(10, 1s)"]
    s0 --> s1
    s1 --> s2
    s2 --> s3
`
	if diff := cmp.Diff(want, s.Mermaid()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An observer adds up runs, watches where it is put, and refuses another chain.
func TestObserver(t *testing.T) {
	var inner, outer pipeline.Observer
	s := pipeline.Then(add(1).Observe(&inner), add(2, pipeline.WithName("second"))).Take(5).Observe(&outer)
	for range 2 {
		if _, err := s.Collect(t.Context(), count(5)); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(pipeline.Stats{{Name: "map", In: 10, Done: 10, Out: 10}}, inner.Stats(), noTimes); diff != "" {
		t.Errorf("inner (-want +got):\n%s", diff)
	}
	want := pipeline.Stats{{Name: "map"}, {Name: "second", In: 10, Done: 10, Out: 10}, {Name: "take", In: 10, Done: 10, Out: 10}}
	if diff := cmp.Diff(want, outer.Stats(), noTimes); diff != "" {
		t.Errorf("outer (-want +got):\n%s", diff)
	}
	defer func() {
		if recover() == nil {
			t.Error("an observer of another chain was accepted")
		}
	}()
	add(1).Observe(&outer)
}

// One recipe run by many at once, under the race detector.
func TestRecipesAreShared(t *testing.T) {
	s := five(func(context.Context, int) error { return nil })
	testkit.Watchdog(t, func() {
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				out, err := s.Collect(t.Context(), count(300))
				if len(out) != 300 || err != nil || !slices.IsSorted(out) {
					t.Errorf("%d results, %v", len(out), err)
				}
			})
		}
		wg.Wait()
	})
}

// Every item once, through every kind of stage, with random skips.
func TestChaosConservesItems(t *testing.T) {
	n := 20000
	if testing.Short() {
		n = 2000
	}
	out := testkit.NewLedger(n)
	skip := pipeline.WithErrorHandler(func(err error) pipeline.ErrorAction {
		var id int
		if _, e := fmt.Sscanf(err.Error(), "item %d", &id); e != nil {
			return pipeline.Stop
		}
		out.Note(id)
		return pipeline.Skip
	})
	flaky := func(_ context.Context, v int) (int, error) {
		if v%7 == 0 {
			return 0, fmt.Errorf("item %d", v)
		}
		return v, nil
	}
	s := pipeline.Then(pipeline.Map(flaky, pipeline.WithWorkers(3), skip), pipeline.Then(pipeline.Batch[int](7, time.Microsecond),
		pipeline.Then(pipeline.Unbatch[int](), add(0, pipeline.WithWorkers(2), pipeline.Unordered()))))
	testkit.Watchdog(t, func() {
		if err := s.ForEach(t.Context(), count(n), func(_ context.Context, v int) error { out.Note(v); return nil }); err != nil {
			t.Error(err)
		}
	})
	out.ExactlyOnce(t)
}

func TestActionsInJSON(t *testing.T) {
	text, err := json.Marshal([]any{pipeline.Stop, pipeline.Skip, pipeline.ErrorAction(9)})
	if want := `["Stop","Skip","ErrorAction(9)"]`; string(text) != want || err != nil {
		t.Errorf("%s, %v; want %s", text, err, want)
	}
}
