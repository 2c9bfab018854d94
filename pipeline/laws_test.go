package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pipeline"
)

// noTimes compares the counts of stages alone.
var noTimes = cmpopts.IgnoreFields(pipeline.StageStats{}, "Busy", "Blocked", "Waiting", "Workers")

// L1: stages run in parallel: each item of one stage waits for the next stage
// to be at work, and the reverse.
func TestL1StagesRunInParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 100
		slow := func(_ context.Context, v int) (int, error) { time.Sleep(time.Second); return v, nil }
		s := pipeline.Then(pipeline.Map(slow), pipeline.Then(pipeline.Map(slow), pipeline.Map(slow)))
		start := time.Now()
		out, err := s.Collect(t.Context(), count(n))
		if len(out) != n || err != nil {
			t.Fatalf("%d results, %v", len(out), err)
		}
		if d := time.Since(start); d != (n+2)*time.Second {
			t.Errorf("took %v; three stages of a second an item, in parallel, take %v", d, (n+2)*time.Second)
		}
	})
}

// L1: back-pressure: a source is not pulled further than links and windows
// hold.
func TestL1MemoryIsBounded(t *testing.T) {
	tests := []struct {
		name  string
		stage pipeline.Stage[int, int]
		bound int
	}{
		{"default links", pipeline.Then(add(1), add(1)), 3*16 + 2 + 2},
		{"buffers", add(1).Buffer(2), 16 + 1 + 2 + 2},
		{"no buffers", pipeline.Then(pipeline.Buffer[int](0), add(1).Buffer(0)), 3},
		{"ordered window", pipeline.Then(pipeline.Buffer[int](0), add(1, pipeline.WithWorkers(4)).Buffer(0)), 2*4 + 4 + 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pulled := 0
				in := make(chan int)
				ctx, cancel := context.WithCancel(t.Context())
				_, wait := tt.stage.Execute(ctx, in)
				for full := false; !full; {
					synctest.Wait()
					select {
					case in <- pulled:
						pulled++
					default:
						full = true
					}
				}
				if pulled > tt.bound || pulled < tt.bound/3 {
					t.Errorf("%d items are held, the bound is %d", pulled, tt.bound)
				}
				cancel()
				if err := wait(); !errors.Is(err, context.Canceled) {
					t.Errorf("wait: %v", err)
				}
			})
		})
	}
}

// L2, FL7: nothing is stranded: what a stage has produced before it stalls comes
// out, however items are grouped on the way.
func TestL2NothingIsStranded(t *testing.T) {
	stages := map[string]pipeline.Stage[int, int]{
		"one worker": add(0),
		"ordered":    add(0, pipeline.WithWorkers(3)),
		"unordered":  add(0, pipeline.WithWorkers(3), pipeline.Unordered()),
		"flatmap": pipeline.FlatMap(func(_ context.Context, v int, emit func(int) error) error {
			return emit(v)
		}),
		"batched": pipeline.Then(pipeline.Batch[int](1, 0), pipeline.Unbatch[int]()),
		"fused":   pipeline.Fuse(add(0), add(0)),
		"split":   pipeline.Split(parity, map[bool]pipeline.Stage[int, int]{true: add(0), false: add(0, pipeline.WithWorkers(2))}),
		"by key":  pipeline.ByKey(3, func(v int) int { return v }, add(0)),
		"zip":     pipeline.Zip(add(0), add(0), func(a, _ int) int { return a }),
		"unordered flatmap": pipeline.FlatMap(func(_ context.Context, v int, emit func(int) error) error {
			return emit(v)
		}, pipeline.WithWorkers(2), pipeline.Unordered()),
	}
	for name, inner := range stages {
		for stall := range 20 {
			t.Run(fmt.Sprint(name, stall), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					stalled := pipeline.Map(func(ctx context.Context, v int) (int, error) {
						if v == stall {
							<-ctx.Done()
							return 0, ctx.Err()
						}
						return v, nil
					})
					ctx, cancel := context.WithCancel(t.Context())
					got := 0
					done := make(chan struct{})
					go func() {
						defer close(done)
						for _, err := range pipeline.Then(stalled, pipeline.Then(inner, add(0))).Run(ctx, count(100)) {
							if err == nil {
								got++
							}
						}
					}()
					synctest.Wait()
					if got != stall {
						t.Errorf("%d items came out while the stage stalls at item %d", got, stall)
					}
					cancel()
					<-done
				})
			})
		}
	}
}

// L2: one call of FlatMap that stalls after emitting strands nothing either.
func TestL2EmittedItemsPassAStalledCall(t *testing.T) {
	for _, opts := range [][]pipeline.Option{nil, {pipeline.WithWorkers(4)}, {pipeline.WithWorkers(4), pipeline.Unordered()}} {
		synctest.Test(t, func(t *testing.T) {
			s := pipeline.FlatMap(func(ctx context.Context, v int, emit func(int) error) error {
				for i := range 50 {
					if err := emit(i); err != nil {
						return err
					}
				}
				<-ctx.Done()
				return ctx.Err()
			}, opts...)
			ctx, cancel := context.WithCancel(t.Context())
			out, wait := s.Execute(ctx, feed(1))
			for i := range 50 {
				if v := <-out; v != i {
					t.Errorf("got %d, want %d", v, i)
				}
			}
			cancel()
			_ = wait()
		})
	}
}

// feed returns a closed channel with the given items in it.
func feed(vs ...int) <-chan int {
	ch := make(chan int, len(vs))
	for _, v := range vs {
		ch <- v
	}
	close(ch)
	return ch
}

// L3, FL3: the first error wins, with the name of its stage, and cancels everything
// at once, also behind a blocked ordered head.
func TestL3ErrorBehindABlockedHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := pipeline.Map(func(ctx context.Context, v int) (int, error) {
			switch v {
			case 0: // the head
				<-ctx.Done()
				return 0, ctx.Err()
			case 3:
				time.Sleep(time.Second)
				return 0, errItem
			}
			return v, nil
		}, pipeline.WithWorkers(4), pipeline.WithName("fetch"))
		start := time.Now()
		out, err := s.Collect(t.Context(), count(100))
		if time.Since(start) != time.Second || len(out) != 0 {
			t.Errorf("%d results after %v", len(out), time.Since(start))
		}
		se, ok := errors.AsType[*pipeline.StageError](err)
		if !ok || se.Stage != "fetch" || se.Index != 3 || se.Err != errItem {
			t.Errorf("got %v", err)
		}
		if want := `pipeline: stage "fetch": item 3: bad item`; err == nil || err.Error() != want {
			t.Errorf("text %v, want %s", err, want)
		}
	})
}

// L3, FL4: later errors are joined, the first in front, and context.Canceled masks
// nothing.
func TestL3LaterErrorsAreJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := errors.New("cleanup failed")
		s := pipeline.Then(
			pipeline.Map(func(ctx context.Context, v int) (int, error) {
				switch v {
				case 0:
					time.Sleep(time.Second)
					return 0, errItem
				case 1:
					<-ctx.Done()
					return 0, fmt.Errorf("worker %d: %w", v, late)
				}
				<-ctx.Done()
				return 0, fmt.Errorf("item %d: %w", v, ctx.Err())
			}, pipeline.WithWorkers(4), pipeline.Unordered(), pipeline.WithName("work")),
			add(1))
		_, err := s.Collect(t.Context(), count(10))
		want := "pipeline: stage \"work\": item 0: bad item\npipeline: stage \"work\": item 1: worker 1: cleanup failed"
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %v", err, want)
		}
		if errors.Is(err, context.Canceled) {
			t.Error("a follow-on context.Canceled is in it")
		}
	})
}

// L3: when the caller's context ends, its cause is the error.
func TestL3CallersCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("user left")
		ctx, cancel := context.WithCancelCause(t.Context())
		s := pipeline.Map(func(ctx context.Context, v int) (int, error) {
			if v == 5 {
				cancel(cause)
				<-ctx.Done()
				return 0, fmt.Errorf("wrapped: %w", ctx.Err())
			}
			return v, nil
		})
		if _, err := s.Collect(ctx, count(100)); err != cause {
			t.Errorf("got %v, want %v", err, cause)
		}
		if _, err := s.Collect(ctx, count(100)); err != cause {
			t.Errorf("under an ended context: %v, want %v", err, cause)
		}
	})
}

// L3, C2: so it is when what fails then is another matter, which is joined to it.
func TestL3CallersCauseComesBeforeLaterErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("user left")
		for name, opts := range map[string][]pipeline.Option{
			"as it is": nil,
			"skipped":  {pipeline.WithErrorHandler(func(error) pipeline.ErrorAction { return pipeline.Skip })},
			"workers":  {pipeline.WithWorkers(2)},
		} {
			ctx, cancel := context.WithCancelCause(t.Context())
			s := pipeline.Map(func(ctx context.Context, v int) (int, error) {
				cancel(cause)
				return 0, errItem
			}, append(opts, pipeline.WithName("work"))...)
			_, err := s.Collect(ctx, count(1))
			if want := "user left\npipeline: stage \"work\": item 0: bad item"; err == nil || err.Error() != want || !errors.Is(err, cause) {
				t.Errorf("%s: got %v, want %s", name, err, want)
			}
		}
	})
}

// L3: an error of the source is one of the stage "source".
func TestL3SourceError(t *testing.T) {
	s := add(1)
	var got []int
	var last error
	for v, err := range s.Run(t.Context(), pipeline.Seq2(func(yield func(int, error) bool) {
		for i := range 3 {
			if !yield(i, nil) {
				return
			}
		}
		yield(0, io.ErrUnexpectedEOF)
	})) {
		if last = err; err == nil {
			got = append(got, v)
		}
	}
	if !errors.Is(last, io.ErrUnexpectedEOF) || !strings.Contains(last.Error(), `stage "source"`) {
		t.Errorf("got %v", last)
	}
	if !slices.Equal(got, []int{1, 2, 3}[:len(got)]) {
		t.Errorf("results %v are no prefix", got)
	}
}

// five is a chain of five stages, ordered, with workers and a batch inside.
// at is called with each item in the middle.
func five(at func(ctx context.Context, v int) error) pipeline.Stage[int, int] {
	return pipeline.Then(
		pipeline.Then(add(1), pipeline.Batch[int](2, 0)),
		pipeline.Then(pipeline.Unbatch[int](), pipeline.Map(func(ctx context.Context, v int) (int, error) {
			return v, at(ctx, v-1)
		}, pipeline.WithWorkers(3)))).
		Filter(func(context.Context, int) (bool, error) { return true, nil }, pipeline.WithWorkers(2))
}

// L4, FL1: leaving early, in every way and at every item, cancels and joins; what
// has come out is a clean prefix, and the source is not drained.
func TestL4EveryEndAtEveryItem(t *testing.T) {
	const n = 12
	type outcome struct {
		got []int
		err error
	}
	ways := map[string]func(ctx context.Context, at int) outcome{
		"break": func(ctx context.Context, at int) (o outcome) {
			for v, err := range five(func(context.Context, int) error { return nil }).Run(ctx, pipeline.Seq(endless(&o.err))) {
				if err != nil {
					o.err = err
				}
				if o.got = append(o.got, v); v == at+1 {
					break
				}
			}
			return o
		},
		"take": func(ctx context.Context, at int) (o outcome) {
			o.got, o.err = five(func(context.Context, int) error { return nil }).Take(at+1).Collect(ctx, pipeline.Seq(endless(new(error))))
			return o
		},
		"error": func(ctx context.Context, at int) (o outcome) {
			o.got, o.err = five(func(_ context.Context, v int) error {
				if v == at {
					return errItem
				}
				return nil
			}).Collect(ctx, pipeline.Seq(endless(new(error))))
			return o
		},
		"panic": func(ctx context.Context, at int) (o outcome) {
			o.got, o.err = five(func(_ context.Context, v int) error {
				if v == at {
					panic("boom")
				}
				return nil
			}).Collect(ctx, pipeline.Seq(endless(new(error))))
			return o
		},
		"Goexit": func(ctx context.Context, at int) (o outcome) {
			o.got, o.err = five(func(_ context.Context, v int) error {
				if v == at {
					runtime.Goexit()
				}
				return nil
			}).Collect(ctx, pipeline.Seq(endless(new(error))))
			return o
		},
		"cancel": func(ctx context.Context, at int) (o outcome) {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			o.got, o.err = five(func(_ context.Context, v int) error {
				if v == at {
					cancel()
				}
				return nil
			}).Collect(ctx, pipeline.Seq(endless(new(error))))
			return o
		},
		"sink": func(ctx context.Context, at int) (o outcome) {
			o.err = five(func(context.Context, int) error { return nil }).ForEach(ctx, pipeline.Seq(endless(new(error))),
				func(_ context.Context, v int) error {
					if v == at+1 {
						return errItem
					}
					o.got = append(o.got, v)
					return nil
				})
			return o
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			for at := range n {
				synctest.Test(t, func(t *testing.T) {
					// The bubble fails if anything is left: nobody ends this context for it.
					o := way(context.WithoutCancel(t.Context()), at)
					for i, v := range o.got {
						if v != i+1 {
							t.Fatalf("at %d: %v is no prefix", at, o.got)
						}
					}
					ok := false
					switch name {
					case "break", "take":
						ok = o.err == nil && len(o.got) == at+1
					case "error":
						ok = errors.Is(o.err, errItem) && len(o.got) <= at
					case "sink":
						ok = errors.Is(o.err, errItem) && strings.Contains(o.err.Error(), `"sink"`) && len(o.got) == at
					case "panic":
						_, ok = errors.AsType[*pipeline.PanicError](o.err)
					case "Goexit":
						ok = errors.Is(o.err, pipeline.ErrGoexit)
					case "cancel":
						ok = o.err == context.Canceled
					}
					if !ok {
						t.Errorf("at %d: %d results, %v", at, len(o.got), o.err)
					}
				})
			}
		})
	}
}

// endless counts for ever, and notes an error if it is pulled much further than
// the chain can hold.
func endless(err *error) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := 0; yield(i); i++ {
			if i > 20_000 {
				*err = fmt.Errorf("the source is being drained")
				return
			}
		}
	}
}

// L4: that a Take has enough is no error, nor is what upstream makes of it, however
// the run goes on to end.
func TestL4EnoughIsNoError(t *testing.T) {
	stages := map[string]pipeline.Stage[int, int]{
		"alone": pipeline.Take[int](3),
		"behind one that fails at the end": pipeline.Map(func(ctx context.Context, v int) (int, error) {
			if v < 3 {
				return v, nil
			}
			<-ctx.Done()
			return 0, errItem
		}, pipeline.WithWorkers(2)).Take(3),
	}
	for name, s := range stages {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				err := s.ForEach(t.Context(), count(20), func(context.Context, int) error { n++; return nil })
				if err != nil || n != 3 {
					t.Errorf("ForEach: %d results, %v", n, err)
				}
				if out, err := s.Collect(t.Context(), count(20)); err != nil || len(out) != 3 {
					t.Errorf("Collect: %d results, %v", len(out), err)
				}
			})
		})
	}
}

// L4: Take cancels the contexts of what is upstream, and only those.
func TestL4TakeCancelsUpstreamOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var upstream error
		begun := make(chan struct{})
		s := pipeline.Then(
			pipeline.Map(func(ctx context.Context, v int) (int, error) {
				switch v {
				case 1:
					<-begun // before Take has enough
				case 2: // wanted by nobody
					close(begun)
					<-ctx.Done()
					upstream = ctx.Err()
					return 0, errors.New("interrupted")
				}
				return v, nil
			}, pipeline.WithWorkers(2)).Take(2),
			pipeline.Map(func(ctx context.Context, v int) (int, error) {
				time.Sleep(time.Hour) // long after Take has enough
				return v, ctx.Err()
			}))
		out, err := s.Collect(t.Context(), count(10))
		if diff := cmp.Diff([]int{0, 1}, out); diff != "" || err != nil {
			t.Errorf("error %v, results (-want +got):\n%s", err, diff)
		}
		if upstream != context.Canceled {
			t.Errorf("the function upstream saw %v", upstream)
		}
	})
}

// L4: Take(0) pulls nothing.
func TestL4TakeNothing(t *testing.T) {
	pulled := 0
	out, err := add(1).Take(0).Collect(t.Context(), pipeline.Seq(func(yield func(int) bool) { pulled++; yield(1) }))
	if len(out) != 0 || err != nil || pulled != 0 {
		t.Errorf("%v, %v, source called %d times", out, err, pulled)
	}
}

// L5: the output of any number of workers is that of the sequential program.
func TestL5OrderedEqualsSequential(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 5))
			n := rnd.IntN(200)
			pauses := make([]time.Duration, n)
			for i := range pauses {
				pauses[i] = time.Duration(rnd.IntN(1000))
			}
			var want []int
			for i := range n {
				for j := range i % 4 {
					if i%5 != 0 {
						want = append(want, 10*i+j)
					}
				}
			}
			workers := pipeline.WithWorkers(1 + rnd.IntN(9))
			s := pipeline.Then(
				pipeline.Filter(func(_ context.Context, i int) (bool, error) {
					time.Sleep(pauses[n-1-i])
					return i%5 != 0, nil
				}, workers),
				pipeline.FlatMap(func(_ context.Context, i int, emit func(int) error) error {
					time.Sleep(pauses[i])
					for j := range i % 4 {
						if err := emit(10*i + j); err != nil {
							return err
						}
					}
					return nil
				}, workers))
			got, err := s.Collect(t.Context(), count(n))
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("seed %d: error %v (-want +got):\n%s", seed, err, diff)
			}
		})
	}
}

// L5, FL12: workers stay busy behind a slow head, up to the window, and not beyond.
func TestL5Window(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workers = 4
		var started testkit.Gauge
		head := make(chan struct{})
		ordered := pipeline.Map(func(_ context.Context, v int) (int, error) {
			if v == 0 {
				<-head
			} else {
				started.Enter()
			}
			return v, nil
		}, pipeline.WithWorkers(workers))
		out, wait := ordered.Execute(t.Context(), feedN(100))
		synctest.Wait()
		if low, high := 2*workers-1, 16; started.Now() < low || started.Now() > high {
			t.Errorf("%d items worked on behind a blocked head, want %d to %d", started.Now(), low, high)
		}
		close(head)
		n := 0
		for v := range out {
			if v != n {
				t.Fatalf("got %d, want %d", v, n)
			}
			n++
		}
		if err := wait(); n != 100 || err != nil {
			t.Errorf("%d results, %v", n, err)
		}
	})
}

func feedN(n int) <-chan int {
	vs := make([]int, n)
	for i := range vs {
		vs[i] = i
	}
	return feed(vs...)
}

// L5: Unordered lets fast items overtake, and loses none.
func TestL5UnorderedOvertakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := pipeline.Map(func(_ context.Context, v int) (int, error) {
			if v == 0 {
				time.Sleep(time.Hour)
			}
			return v, nil
		}, pipeline.WithWorkers(2), pipeline.Unordered())
		got, err := s.Collect(t.Context(), count(50))
		if err != nil || len(got) != 50 || got[49] != 0 {
			t.Fatalf("%v, %v", got, err)
		}
		slices.Sort(got)
		if diff := cmp.Diff(slices.Collect(numbers(50)), got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// L6, FL2: the age of a batch counts from its first item, whatever comes later.
func TestL6AgeCountsFromTheFirstItem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := make(chan int)
		out, wait := pipeline.Batch[int](100, 10*time.Second).Execute(t.Context(), in)
		go func() {
			defer close(in)
			for i := range 8 { // a slow trickle: every 3 s
				in <- i
				time.Sleep(3 * time.Second)
			}
		}()
		start := time.Now()
		var got []string
		for b := range out {
			got = append(got, fmt.Sprint(time.Since(start), b))
		}
		want := []string{"10s [0 1 2 3]", "22s [4 5 6 7]"}
		if diff := cmp.Diff(want, got); diff != "" || wait() != nil {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// L6: full batches leave at once, each is a slice of its own, and the rest is
// flushed at a clean end, but not at an error.
func TestL6SizeFreshSlicesAndFlush(t *testing.T) {
	batches, err := pipeline.Batch[int](3, 0).Collect(t.Context(), count(8))
	if diff := cmp.Diff([][]int{{0, 1, 2}, {3, 4, 5}, {6, 7}}, batches); diff != "" || err != nil {
		t.Fatalf("error %v (-want +got):\n%s", err, diff)
	}
	_ = append(batches[0], 99)
	batches[1][0] = 99
	if diff := cmp.Diff([][]int{{0, 1, 2}, {99, 4, 5}, {6, 7}}, batches); diff != "" {
		t.Errorf("batches share memory:\n%s", diff)
	}
	none, err := pipeline.Batch[int](3, time.Hour).Collect(t.Context(), count(0))
	if len(none) != 0 || err != nil {
		t.Errorf("of nothing: %v, %v", none, err)
	}
	s := pipeline.Then(pipeline.Map(func(_ context.Context, v int) (int, error) {
		if v == 5 {
			return 0, errItem
		}
		return v, nil
	}), pipeline.Batch[int](3, 0))
	after, err := s.Collect(t.Context(), count(100))
	if !errors.Is(err, errItem) || len(after) > 1 {
		t.Errorf("after an error: %v, %v", after, err)
	}
}

// L7: a skipped item is counted and its error is seen.
func TestL7SkippedItemsAreCounted(t *testing.T) {
	for _, opts := range [][]pipeline.Option{nil, {pipeline.WithWorkers(4)}, {pipeline.WithWorkers(4), pipeline.Unordered()}} {
		var seen testkit.Gauge
		var o pipeline.Observer
		s := pipeline.Map(func(_ context.Context, v int) (int, error) {
			switch v % 10 {
			case 1:
				return 0, errItem
			case 2:
				panic(v)
			case 3:
				runtime.Goexit()
			}
			return v, nil
		}, append(opts, pipeline.WithName("risky"), pipeline.WithErrorHandler(func(err error) pipeline.ErrorAction {
			if err == nil {
				t.Error("no error")
			}
			seen.Enter()
			return pipeline.Skip
		}))...).Filter(func(_ context.Context, v int) (bool, error) { return v%2 == 0, nil }).Observe(&o)
		out, err := s.Collect(t.Context(), count(100))
		if err != nil || len(out) != 40 {
			t.Errorf("%d results, %v", len(out), err)
		}
		want := pipeline.Stats{
			{Name: "risky", In: 100, Done: 70, Out: 70, Skipped: 30},
			{Name: "filter", In: 70, Done: 40, Out: 40, Skipped: 30},
		}
		if diff := cmp.Diff(want, o.Stats(), noTimes); diff != "" || seen.Now() != 30 {
			t.Errorf("%d seen; counts (-want +got):\n%s", seen.Now(), diff)
		}
	}
}

// L5: a worker that is busy for long does not keep those from work that are not,
// also if they have never had any.
func TestL5WorkersJoinWhenThereIsWork(t *testing.T) {
	for _, opts := range [][]pipeline.Option{{pipeline.WithWorkers(3)}, {pipeline.WithWorkers(3), pipeline.Unordered()}} {
		synctest.Test(t, func(t *testing.T) {
			in := make(chan int)
			out, wait := pipeline.Map(func(_ context.Context, v int) (int, error) {
				time.Sleep(time.Hour)
				return v, nil
			}, opts...).Execute(t.Context(), in)
			start := time.Now()
			for i := range 3 {
				in <- i
				synctest.Wait() // whoever is idle is parked by now
			}
			close(in)
			n := 0
			for range out {
				n++
			}
			if err := wait(); n != 3 || err != nil || time.Since(start) != time.Hour {
				t.Errorf("%d results, %v, after %v", n, err, time.Since(start))
			}
		})
	}
}

// L3: an error cancels everything at once, whatever waits on the way: nobody
// begins with another item, and the source is not asked for more.
func TestL3NothingIsBegunAfterAnError(t *testing.T) {
	pause := func(calls *testkit.Gauge) { // does not look at a context
		calls.Enter()
		time.Sleep(time.Second)
	}
	slow := map[string]func(calls *testkit.Gauge) pipeline.Stage[int, int]{
		"map": func(calls *testkit.Gauge) pipeline.Stage[int, int] {
			return pipeline.Map(func(_ context.Context, v int) (int, error) { pause(calls); return v, nil })
		},
		"map with a time limit": func(calls *testkit.Gauge) pipeline.Stage[int, int] {
			return pipeline.Map(func(_ context.Context, v int) (int, error) { pause(calls); return v, nil }, pipeline.WithTimeout(time.Hour))
		},
		"flatmap": func(calls *testkit.Gauge) pipeline.Stage[int, int] {
			return pipeline.FlatMap(func(_ context.Context, v int, emit func(int) error) error { pause(calls); return emit(v) })
		},
		"split": func(calls *testkit.Gauge) pipeline.Stage[int, int] {
			return pipeline.Split(func(int) bool { pause(calls); return true }, map[bool]pipeline.Stage[int, int]{true: add(0)})
		},
		"fused": func(calls *testkit.Gauge) pipeline.Stage[int, int] {
			return pipeline.Fuse(add(0), pipeline.Tap(func(int) { pause(calls) }))
		},
		"workers": func(calls *testkit.Gauge) pipeline.Stage[int, int] {
			return pipeline.Map(func(_ context.Context, v int) (int, error) { pause(calls); return v, nil }, pipeline.WithWorkers(2))
		},
	}
	for name, stage := range slow {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls testkit.Gauge
				err := stage(&calls).ForEach(t.Context(), count(100), func(_ context.Context, v int) error {
					if v == 3 {
						return errItem
					}
					return nil
				})
				if !errors.Is(err, errItem) || calls.Now() > 8 {
					t.Errorf("%d calls though the fourth result was an error; %v", calls.Now(), err)
				}
			})
		})
	}
	t.Run("source", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var pulls testkit.Gauge
			err := add(0).ForEach(t.Context(), pipeline.Seq(func(yield func(int) bool) {
				for i := 0; yield(i); i++ {
					pause(&pulls)
				}
			}), func(_ context.Context, v int) error {
				if v == 3 {
					return errItem
				}
				return nil
			})
			if !errors.Is(err, errItem) || pulls.Now() > 5 {
				t.Errorf("%d items pulled though the fourth was an error; %v", pulls.Now(), err)
			}
		})
	})
}

// A hollow is an error of which a function returns a nil pointer.
type hollow struct{ error }

func (e *hollow) Unwrap() error { return e.error }

// C4: a function may return a nil pointer for an error, with methods that panic.
func TestC4HollowErrors(t *testing.T) {
	hollowed := func(context.Context, int) (int, error) {
		var e *hollow
		return 0, e
	}
	good := pipeline.Map(func(_ context.Context, n int) (int, error) { return n, nil })
	for name, run := range map[string]func() error{
		"function": func() error {
			_, err := pipeline.Map(hollowed, pipeline.WithRetry(pipeline.RetryPolicy{Attempts: 2})).Collect(t.Context(), pipeline.Values(1, 2))
			return err
		},
		"workers": func() error {
			_, err := pipeline.Map(hollowed, pipeline.WithWorkers(2)).Collect(t.Context(), pipeline.Values(1, 2))
			return err
		},
		"source": func() error {
			_, err := good.Collect(t.Context(), pipeline.Seq2(func(yield func(int, error) bool) { yield(hollowed(nil, 0)) }))
			return err
		},
		"sink": func() error {
			return good.ForEach(t.Context(), pipeline.Values(1), func(context.Context, int) error {
				_, err := hollowed(nil, 0)
				return err
			})
		},
	} {
		if _, ok := errors.AsType[*pipeline.PanicError](run()); !ok {
			t.Errorf("%s: %v", name, run())
		}
	}
}
