package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pipeline"
)

// L9: each value that a stage has made is received by the function behind, or by
// OnDiscard, once, whatever makes it and however the run ends; the figures say the same.
func TestL9NothingIsLostBeforeAnOnDiscard(t *testing.T) {
	const n = 200
	makers := map[string]func(*account) pipeline.Stage[int, int]{
		"source": nil, // it makes them itself
	}
	for name, opts := range map[string][]pipeline.Option{
		"": nil, ", workers": {pipeline.WithWorkers(3)}, ", unordered": {pipeline.WithWorkers(3), pipeline.Unordered()}, ", time limit": {pipeline.WithTimeout(time.Hour)},
	} {
		makers["map"+name] = func(a *account) pipeline.Stage[int, int] {
			return pipeline.Map(func(_ context.Context, v int) (int, error) { return a.make(v), nil }, opts...)
		}
		makers["flat map"+name] = func(a *account) pipeline.Stage[int, int] {
			return pipeline.FlatMap(func(_ context.Context, v int, emit func(int) error) error {
				for i := range 3 {
					if err := emit(a.make(1000*i + v)); err != nil {
						return err
					}
				}
				return nil
			}, opts...)
		}
		makers["branches"+name] = func(a *account) pipeline.Stage[int, int] {
			branch := func(k int) pipeline.Stage[int, int] {
				return pipeline.Map(func(_ context.Context, v int) (int, error) { return a.make(1000*k + v), nil }, opts...)
			}
			return pipeline.Merge(branch(0), branch(1))
		}
	}
	makers["stateful"] = func(a *account) pipeline.Stage[int, int] {
		return pipeline.Stateful(
			func(context.Context) (int, error) { return 0, nil },
			func(_ context.Context, _ int, v int, emit func(int) error) error { return emit(a.make(v)) },
			func(_ context.Context, _ int, emit func(int) error) error { return emit(a.make(-1)) }, nil)
	}
	for name, make := range makers {
		for _, end := range []string{"whole", "break", "error", "panic", "Goexit", "cancel", "take", "source"} {
			t.Run(name+"/"+end, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var a account
				var o pipeline.Observer
				use := pipeline.Map(func(_ context.Context, v int) (int, error) {
					if a.receive(v); v == n/2 {
						switch end {
						case "error":
							return 0, errItem
						case "panic":
							panic(errItem)
						case "Goexit":
							runtime.Goexit()
						case "cancel":
							cancel()
						}
					}
					return v, nil
				}, pipeline.WithName("use"))
				if end == "take" {
					use = use.Take(n / 2)
				}
				on := pipeline.OnDiscard(a.receive)
				src := count(n)
				s := pipeline.Then(on, use)
				if name == "source" {
					src = pipeline.Seq(func(yield func(int) bool) {
						for v := range n {
							if !yield(a.make(v)) {
								return
							}
						}
					})
				} else {
					s = pipeline.Then(make(&a), s)
				}
				if end == "source" {
					items := src
					src = pipeline.Seq2(func(yield func(int, error) bool) {
						for v, err := range items(ctx) {
							if v == n/2 {
								err = errItem
							}
							if !yield(v, err) || err != nil {
								return
							}
						}
					})
				}
				for v := range s.Observe(&o).Run(ctx, src) {
					if v == n/2 && end == "break" {
						break
					}
				}
				for v, made := range a.made {
					if name == "source" && end == "source" && v == n/2 {
						continue // the error came in its place
					}
					if a.received[v] != made {
						t.Errorf("%d was made %d times and received %d times", v, made, a.received[v])
					}
				}
				if len(a.received) > len(a.made) {
					t.Errorf("%d made, %d received", len(a.made), len(a.received))
				}
				stats := o.Stats()
				for i, st := range stats {
					if st.In != st.Done+st.Skipped+st.Failed+st.Discarded {
						t.Errorf("stage %d: %v", i, st)
					}
					if st.Name != "on discard" {
						continue
					}
					if stats[i+1].In != st.Out || i > 0 && !strings.HasPrefix(name, "branches") && len(stats) == i+2 && stats[i-1].Out != st.In {
						t.Errorf("between stages:\n%v", stats)
					}
				}
			})
		}
	}
}

// Values that wait for the caller are discarded, too, by Execute as by a loop.
func TestL9DiscardAtTheEndOfTheChain(t *testing.T) {
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var a account
		s := pipeline.Map(func(_ context.Context, v int) (int, error) { return a.make(v), nil }, pipeline.WithWorkers(2)).OnDiscard(a.receive)
		out, wait := s.Execute(ctx, feedN(100))
		for v := range 10 {
			a.receive(<-out)
			if v == 8 {
				cancel()
				break
			}
		}
		for v := range out {
			a.receive(v)
		}
		if err := wait(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if fmt.Sprint(a.made) != fmt.Sprint(a.received) {
			t.Errorf("%d made, %d received", len(a.made), len(a.received))
		}
	}
}

// L3: discard functions run although the run has failed; one that panics is an error, and
// takes no value from the others.
func TestL3DiscardFunctionsRunAfterAnError(t *testing.T) {
	boom := errors.New("boom")
	for name, fn := range map[string]func(){"panic": func() { panic(boom) }, "Goexit": runtime.Goexit} {
		seen := testkit.NewLedger(10)
		s := pipeline.Then(pipeline.OnDiscard(func(v int) { seen.Note(v); fn() }, pipeline.WithName("close")),
			pipeline.Map(func(ctx context.Context, v int) (int, error) {
				<-ctx.Done()
				return v, nil
			}))
		src := pipeline.Seq2(func(yield func(int, error) bool) {
			for v := range 10 {
				if !yield(v, nil) {
					return
				}
			}
			yield(0, errItem)
		})
		_, err := s.Collect(t.Context(), src)
		if seen.Total() < 9 || !errors.Is(err, errItem) {
			t.Errorf("%s: %d discarded, %v", name, seen.Total(), err)
		}
		if name == "panic" != errors.Is(err, boom) || name == "Goexit" != errors.Is(err, pipeline.ErrGoexit) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
