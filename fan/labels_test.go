package fan_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/tandemgo/tandem/fan"
	"github.com/tandemgo/tandem/internal/goid"
	"github.com/tandemgo/tandem/internal/testkit"
)

// labelled returns how many goroutines are in a function whose name has the given
// end, by their profiler labels.
func labelled(t *testing.T, function string) map[string]int {
	t.Helper()
	var out bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&out, 1); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for stack := range strings.SplitSeq(out.String(), "\n\n") {
		if !strings.Contains(stack, function+"+") {
			continue
		}
		n, labels := 0, "none"
		for line := range strings.Lines(stack) {
			if strings.Contains(line, " @ ") {
				_, _ = fmt.Sscan(line, &n)
			}
			if after, ok := strings.CutPrefix(line, "# labels: "); ok {
				labels = strings.TrimSpace(after)
			}
		}
		counts[labels] += n
	}
	return counts
}

// meet waits until so many are at work, and has the last one look at all.
//
//go:noinline
func meet(met *sync.WaitGroup, look func()) {
	met.Done()
	met.Wait()
	look()
}

// atWork makes a call of which 3 functions are at work at once, or one of ByKey, whose
// keys may be in one lane. It returns the labels of their goroutines.
func atWork(t *testing.T, name string, ctx context.Context) (labels map[string]int) {
	t.Helper()
	n := 3
	if name == "ByKey" {
		n = 1
	}
	var met sync.WaitGroup
	met.Add(n)
	var once sync.Once
	if err := calls[name].run(ctx, n, func(context.Context, int) (int, error) {
		meet(&met, func() { once.Do(func() { labels = labelled(t, "fan_test.meet") }) })
		return 0, nil
	}); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	return labels
}

// withLabels calls f on a goroutine that has the labels of ctx.
func withLabels(ctx context.Context, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		pprof.SetGoroutineLabels(ctx)
		f()
	}()
	<-done
}

const (
	a = `{"request":"A"}`
	b = `{"request":"B"}`
)

func request(name string) context.Context {
	return pprof.WithLabels(context.Background(), pprof.Labels("request", name))
}

// C14: on goroutines that a call has started, functions run with the labels of its
// context, with none if it has none. The caller's goroutine keeps its own.
func TestC14FunctionsRunWithTheLabelsOfTheirContext(t *testing.T) {
	for name, c := range calls {
		if c.bare {
			continue
		}
		all, own := 3, 0 // own: of the functions, on the goroutine of the caller
		switch name {
		case "ByKey":
			all = 1
		case "Map", "Reduce":
			own = 1
		}
		counts := func(of map[string]int) map[string]int {
			for k, n := range of {
				if n == 0 {
					delete(of, k)
				}
			}
			return of
		}
		for _, tt := range []struct {
			what           string
			caller, called context.Context
			want           map[string]int
		}{
			{"both have them", request("A"), request("A"), map[string]int{a: all}},
			{"the context has them", context.Background(), request("A"), map[string]int{a: all - own, "none": own}},
			{"they differ", request("B"), request("A"), map[string]int{a: all - own, b: own}},
			{"neither has any", context.Background(), context.Background(), map[string]int{"none": all}},
			{"the caller has them", request("A"), context.Background(), map[string]int{a: own, "none": all - own}},
		} {
			testkit.Watchdog(t, func() {
				withLabels(tt.caller, func() {
					got := atWork(t, name, tt.called)
					equal(t, name+", "+tt.what, counts(tt.want), got)
				})
			})
		}
	}
}

// C14: so it is in a bubble, where the goroutines of Map and Reduce start without a timer.
func TestC14InABubble(t *testing.T) {
	for _, name := range []string{"Map", "Reduce"} {
		synctest.Test(t, func(t *testing.T) {
			withLabels(request("A"), func() {
				equal(t, name, map[string]int{a: 1, "none": 2}, atWork(t, name, context.Background()))
				equal(t, name, map[string]int{b: 2, a: 1}, atWork(t, name, request("B")))
			})
		})
	}
}

// look returns the labels of its goroutine.
//
//go:noinline
func look(t *testing.T) map[string]int { return labelled(t, "fan_test.look") }

// C14: sources and keys that run on a goroutine of the call do so with the labels of
// its context.
func TestC14SourcesAndKeys(t *testing.T) {
	ctx := request("A")
	source := func(yield func(int) bool) {
		equal(t, "labels of a source", map[string]int{a: 1}, look(t))
		yield(1)
	}
	key := func(int) int {
		equal(t, "labels of a key", map[string]int{a: 1}, look(t))
		return 0
	}
	for range fan.Seq(ctx, 1, source, square) {
	}
	for range fan.ByKey(ctx, 1, source, key, square) {
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	drain(fan.Partition(ctx, feed(ctx, 1), 2, key)...)
}

// C14: goroutines that call no function have the labels of the context, too.
func TestC14GoroutinesOfChannels(t *testing.T) {
	for name, of := range map[string]func(context.Context, <-chan int) <-chan int{
		"fan.In[...].func1":  func(ctx context.Context, in <-chan int) <-chan int { return fan.In(ctx, in) },
		"fan.Tee[...].func2": func(ctx context.Context, in <-chan int) <-chan int { return fan.Tee(ctx, in, 1)[0] },
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(request("A"))
			defer cancel()
			never := make(chan int)
			of(ctx, never)
			synctest.Wait()
			equal(t, name, map[string]int{a: 1}, labelled(t, name))
		})
	}
}

// C14: a function that leaves labels on its goroutine leaves none to the next one.
func TestC14LabelsThatAreLeftBehind(t *testing.T) {
	for name, run := range map[string]func(context.Context, func(context.Context, int) (int, error)) error{
		"ForEach": func(ctx context.Context, fn func(context.Context, int) (int, error)) error {
			return fan.ForEach(ctx, 1, count(3), func(ctx context.Context, v int) error { _, err := fn(ctx, v); return err })
		},
		"Seq": func(ctx context.Context, fn func(context.Context, int) (int, error)) error {
			return last(fan.Seq(ctx, 1, count(3), fn))
		},
		"ByKey": func(ctx context.Context, fn func(context.Context, int) (int, error)) error {
			return last(fan.ByKey(ctx, 1, count(3), func(int) int { return 0 }, fn))
		},
		"Out": func(ctx context.Context, fn func(context.Context, int) (int, error)) error {
			drain(fan.Out(ctx, feed(ctx, 3), 1, fn)...)
			return nil
		},
		"Map": func(ctx context.Context, fn func(context.Context, int) (int, error)) error {
			caller, helped := goid.Current(), make(chan struct{})
			done := 0 // by another goroutine
			_, err := fan.Map(ctx, 2, numbers(4), func(ctx context.Context, v int) (int, error) {
				if goid.Current() == caller {
					<-helped
					return 0, nil
				}
				if done++; done == 3 {
					defer close(helped)
				}
				return fn(ctx, v)
			})
			return err
		},
	} {
		err := run(request("A"), func(context.Context, int) (int, error) {
			equal(t, name, map[string]int{a: 1}, look(t))
			pprof.SetGoroutineLabels(request("B"))
			return 0, nil
		})
		if err != nil {
			t.Error(name, err)
		}
	}
}
