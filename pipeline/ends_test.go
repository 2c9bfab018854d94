package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/pipeline"
)

// A kind is one kind of stage, for tests that are about all of them.
type kind struct {
	name  string
	stage func(calls func()) pipeline.Stage[int, int] // calls is called when its function begins
	times int                                         // how often an item comes out, 1 if it is 0
	even  bool                                        // only even items do
	loose bool                                        // in any order
	// counted is the node whose function says calls, and -1 if there is none.
	counted int
}

// kinds returns all kinds of stage, and combinations of those that share goroutines.
func kinds() []kind {
	id := func(calls func()) func(context.Context, int) (int, error) {
		return func(_ context.Context, v int) (int, error) { calls(); return v, nil }
	}
	keep := func(calls func()) func(context.Context, int) (bool, error) {
		return func(_ context.Context, v int) (bool, error) { calls(); return v%2 == 0, nil }
	}
	emits := func(calls func()) func(context.Context, int, func(int) error) error {
		return func(_ context.Context, v int, emit func(int) error) error {
			calls()
			return errors.Join(emit(v), emit(v))
		}
	}
	type stage = pipeline.Stage[int, int]
	mapped := func(opts ...pipeline.Option) func(func()) stage {
		return func(calls func()) stage { return pipeline.Map(id(calls), opts...) }
	}
	flat := func(opts ...pipeline.Option) func(func()) stage {
		return func(calls func()) stage { return pipeline.FlatMap(emits(calls), opts...) }
	}
	fixed := func(s stage) func(func()) stage { return func(func()) stage { return s } }
	unbatch := pipeline.Unbatch[int]()
	two := pipeline.WithWorkers(2)
	// flaky fails the first time at each item.
	flaky := func(calls func(), opts ...pipeline.Option) stage {
		failed := false
		return pipeline.Map(func(_ context.Context, v int) (int, error) {
			if failed = !failed; failed {
				calls()
				return 0, errItem
			}
			return v, nil
		}, opts...)
	}
	return []kind{
		{name: "map", stage: mapped()},
		{name: "map, workers", stage: mapped(two)},
		{name: "map, unordered", stage: mapped(pipeline.WithWorkers(3), pipeline.Unordered()), loose: true},
		{name: "map, time limit", stage: mapped(pipeline.WithTimeout(time.Hour))},
		{name: "retry", stage: func(calls func()) stage {
			return flaky(calls, pipeline.WithRetry(pipeline.RetryPolicy{Attempts: 2, Delay: time.Millisecond}))
		}},
		{name: "replace", stage: func(calls func()) stage {
			return pipeline.MapOr(func(_ context.Context, v int) (int, error) { calls(); return 0, number(v) },
				func(_ context.Context, f pipeline.Failure[int]) (int, error) { return int(f.Err.(number)), nil })
		}},
		{name: "dead letter", even: true, stage: func(calls func()) stage {
			return pipeline.MapOr(func(_ context.Context, v int) (int, error) {
				if calls(); v%2 != 0 {
					return 0, errItem
				}
				return v, nil
			}, func(context.Context, pipeline.Failure[int]) (int, error) { return 0, pipeline.ErrSkip }, two)
		}},
		{name: "stateful", times: 2, stage: func(calls func()) stage {
			return pipeline.Stateful(
				func(context.Context) (*int, error) { return new(int), nil },
				func(_ context.Context, state *int, v int, emit func(int) error) error {
					calls()
					*state++
					return errors.Join(emit(v), emit(v))
				},
				func(context.Context, *int, func(int) error) error { return nil }, nil)
		}},
		{name: "on discard", stage: fixed(pipeline.OnDiscard(func(int) {})), counted: -1},
		{name: "filter", even: true, stage: func(calls func()) stage { return pipeline.Filter(keep(calls)) }},
		{name: "filter, workers", even: true, stage: func(calls func()) stage { return pipeline.Filter(keep(calls), two) }},
		{name: "flat map", times: 2, stage: flat()},
		{name: "flat map, workers", times: 2, stage: flat(two)},
		{name: "flat map, unordered", times: 2, stage: flat(two, pipeline.Unordered()), loose: true},
		{name: "tap", stage: func(calls func()) stage { return pipeline.Tap(func(int) { calls() }) }},
		{name: "take", stage: fixed(pipeline.Take[int](1000)), counted: -1},
		{name: "buffer", stage: fixed(pipeline.Buffer[int](3)), counted: -1},
		{name: "no buffer", stage: fixed(pipeline.Buffer[int](0)), counted: -1},
		{name: "batch", stage: fixed(pipeline.Then(pipeline.Batch[int](2, 0), unbatch)), counted: -1},
		{name: "batch, age", stage: fixed(pipeline.Then(pipeline.Batch[int](7, time.Second), unbatch)), counted: -1},
		{name: "throttle", stage: func(calls func()) stage {
			return pipeline.Throttle[int](func(context.Context) error { calls(); return nil })
		}},
		{name: "split", loose: true, stage: func(calls func()) stage {
			return pipeline.Split(func(v int) bool { calls(); return v%2 == 0 }, map[bool]stage{true: add(0), false: add(0, two)})
		}},
		{name: "by key", loose: true, stage: func(calls func()) stage {
			return pipeline.ByKey(3, func(v int) int { calls(); return v }, pipeline.Fuse(add(0), add(0)))
		}},
		{name: "merge", times: 2, loose: true, stage: fixed(pipeline.Merge(add(0), pipeline.Buffer[int](1))), counted: -1},
		{name: "zip", stage: fixed(pipeline.Zip(add(0), add(0, two), func(a, _ int) int { return a })), counted: -1},
		{name: "fused", stage: func(calls func()) stage { return pipeline.Fuse(mapped()(calls), pipeline.Tap(func(int) {})) }},
		{name: "fused flat map", times: 2, stage: func(calls func()) stage { return pipeline.Fuse(flat()(calls), add(0)) }},
		{name: "fused merge", times: 2, loose: true, counted: -1,
			stage: fixed(pipeline.Fuse(pipeline.Tap(func(int) {}), pipeline.Merge(add(0), add(0))))},
	}
}

// A number is an error that says which item it is of.
type number int

func (n number) Error() string { return "number " + strconv.Itoa(int(n)) }

// An ending is a way to end a run. at is the stage between the two that are
// tried; it is called anew for each run.
type ending struct {
	name   string
	at     func(cancel func()) pipeline.Stage[int, int]
	stop   int  // the consumer leaves, or fails, at this result
	failed bool // the run fails
	ok     func(err error) bool
	source error // how the source ends behind the last item; nil: it waits
	whole  bool  // it ends in order: all comes out
	before bool  // the context has ended before
	forms  []string
}

var errEnds = errors.New("this is the end")

const enough = 5 // at which item the stage in the middle ends the run

func waysToEnd() []ending {
	nothing := func(func()) pipeline.Stage[int, int] { return pipeline.Tap(func(int) {}) }
	at := func(end func(cancel func()) error) func(func()) pipeline.Stage[int, int] {
		return func(cancel func()) pipeline.Stage[int, int] {
			n := 0
			return pipeline.Map(func(_ context.Context, v int) (int, error) {
				if n++; n == enough {
					return v, end(cancel)
				}
				return v, nil
			}, pipeline.WithName("middle"))
		}
	}
	is := func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
	from := func(stage string) func(error) bool {
		return func(err error) bool {
			se, ok := errors.AsType[*pipeline.StageError](err)
			return ok && se.Stage == stage && se.Err == errItem
		}
	}
	none := func(err error) bool { return err == nil }
	return []ending{
		{name: "break", at: nothing, stop: 3, ok: none, forms: []string{"Run", "Seq2", "endless"}},
		{name: "sink", at: nothing, stop: 3, failed: true, ok: from("sink"), forms: []string{"ForEach"}},
		{name: "take", at: func(func()) pipeline.Stage[int, int] { return pipeline.Take[int](enough) }, ok: none},
		{name: "take nothing", at: func(func()) pipeline.Stage[int, int] { return pipeline.Take[int](0) }, ok: none},
		{name: "take in each branch", at: func(func()) pipeline.Stage[int, int] {
			return pipeline.Merge(pipeline.Take[int](1), pipeline.Then(add(0), pipeline.Take[int](2)))
		}, ok: none},
		{name: "error", at: at(func(func()) error { return errItem }), failed: true, ok: from("middle")},
		{name: "panic", at: at(func(func()) error { panic(errItem) }), failed: true, ok: is(errItem)},
		{name: "Goexit", at: at(func(func()) error { runtime.Goexit(); return nil }), failed: true, ok: is(pipeline.ErrGoexit)},
		{name: "cancel", at: at(func(cancel func()) error { cancel(); return nil }), failed: true, ok: is(errEnds)},
		{name: "cancel of the idle", at: nothing, failed: true, ok: is(errEnds), forms: []string{"Execute"}},
		{name: "cancel before", at: nothing, failed: true, ok: is(errEnds), before: true},
		{name: "source fails", at: nothing, failed: true, ok: from("source"), source: errItem, forms: []string{"Seq2"}},
		{name: "end", at: nothing, ok: none, source: errEnds, whole: true},
	}
}

const fed = 24 // items that the source has; then it ends, or waits for an hour

// A trial is one run: what came of it.
type trial struct {
	got []int
	err error
}

// try runs s in one form.
func try(ctx context.Context, form string, s pipeline.Stage[int, int], e ending) (r trial) {
	items := func(yield func(int, error) bool) {
		for i := range fed {
			if !yield(i, nil) {
				return
			}
		}
		switch {
		case form == "endless" && !e.whole:
			for i := fed; yield(i, nil); i++ {
			}
		case e.source == nil:
			time.Sleep(time.Hour) // in code that knows of no context
		case e.source != errEnds:
			yield(0, e.source)
		}
	}
	seq := iter.Seq[int](first(items))
	take := func(v int) (more bool) {
		r.got = append(r.got, v)
		return len(r.got) != e.stop
	}
	walk := func(all iter.Seq2[int, error]) {
		for v, err := range all {
			if r.err = err; err == nil && !take(v) {
				return
			}
		}
	}
	switch form {
	case "Run", "endless":
		walk(s.Run(ctx, pipeline.Seq(seq)))
	case "Seq2":
		walk(s.Run(ctx, pipeline.Seq2(items)))
	case "ForEach":
		r.err = s.ForEach(ctx, pipeline.Seq(seq), func(_ context.Context, v int) error {
			if !take(v) {
				return errItem
			}
			return nil
		})
	case "Collect":
		r.got, r.err = s.Collect(ctx, pipeline.Seq(seq))
	case "Execute":
		in := make(chan int, fed)
		for i := range fed {
			in <- i
		}
		if e.source != nil {
			close(in) // and otherwise it stays open
		}
		out, wait := s.Execute(ctx, in)
		for v := range out {
			r.got = append(r.got, v)
		}
		r.err = wait()
	}
	return r
}

// L4, L9: every way to end a run ends it, behind and in front of every kind of stage,
// in every form, also if the input stays open and nothing more comes; what has come
// out is right, the error says why it ended, and the figures are exact. The bubble fails
// if a goroutine is left.
func TestL4EveryEndWithEveryPairOfStages(t *testing.T) {
	all := kinds()
	forms := []string{"Run", "Seq2", "ForEach", "Collect", "endless"}
	for i, a := range all {
		for j, b := range all {
			if testing.Short() && (i+3*j)%7 != 0 {
				continue
			}
			t.Run(a.name+" … "+b.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					for k, e := range waysToEnd() {
						tried := []string{"Execute", forms[(i+j+k)%len(forms)]}
						if e.forms != nil {
							tried = e.forms[(i+j)%len(e.forms):][:1]
						}
						for _, form := range tried {
							tryEnd(t, form, a, b, e)
						}
					}
				})
			})
		}
	}
}

func tryEnd(t *testing.T, form string, a, b kind, e ending) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(t.Context()))
	stop := func() { cancel(errEnds) }
	var calls [2]atomic.Int64
	s := pipeline.Then(a.stage(func() { calls[0].Add(1) }),
		pipeline.Then(e.at(stop), b.stage(func() { calls[1].Add(1) })))
	var o pipeline.Observer
	s = s.Observe(&o)
	switch {
	case e.before:
		stop()
	case e.name == "cancel of the idle":
		time.AfterFunc(time.Minute, stop)
	}
	done := make(chan trial, 1)
	go func() { done <- try(ctx, form, s, e) }()
	var r trial
	select {
	case r = <-done:
	case <-time.After(24 * time.Hour):
		t.Fatalf("%s, %s: it does not end", e.name, form) // and the bubble shows who waits
	}
	say := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s, %s: %s\n%v, %v\n%+v", e.name, form, fmt.Sprintf(format, args...), r.got, r.err, o.Stats())
	}
	if !e.ok(r.err) || e.failed == (r.err == nil) {
		say("the error is wrong")
	}
	checkResults(say, a, b, e, r.got)
	checkFigures(say, s, o.Stats(), a, b, e, &calls)
	cancel(nil)
}

// checkResults compares what came out with what could have.
func checkResults(say func(string, ...any), a, b kind, e ending, got []int) {
	through := func(k kind, vs []int) (out []int) {
		for _, v := range vs {
			for range max(1, k.times) {
				if !k.even || v%2 == 0 {
					out = append(out, v)
				}
			}
		}
		return out
	}
	items := fed
	if len(got) > 0 && slices.Max(got) >= fed {
		items = slices.Max(got) + 1 // from an endless source
	}
	mid := through(a, slices.Collect(numbers(items)))
	all := through(b, mid)
	switch {
	case e.before || e.name == "take nothing":
		all = nil
	case e.name == "take in each branch": // the first one, and the first two, in any order
		if n := max(1, b.times); len(got) > 3*n || !b.even && len(got) != 3*n {
			say("%d results", len(got))
		}
		return
	case e.name == "take" && a.loose:
		if n := enough * max(1, b.times); len(got) > n || !b.even && len(got) != n {
			say("%d results of %d", len(got), n)
		}
	case e.name == "take":
		if all = through(b, mid[:enough]); len(got) != len(all) {
			say("%d results of %d", len(got), len(all))
		}
	case e.whole && len(got) != len(all), e.stop > 0 && len(got) != e.stop:
		say("%d results of %d", len(got), len(all))
	}
	if !a.loose && !b.loose {
		if len(got) > len(all) || !slices.Equal(got, all[:len(got)]) {
			say("no beginning of %v", all)
		}
		return
	}
	left := map[int]int{}
	for _, v := range all {
		left[v]++
	}
	for _, v := range got {
		if left[v]--; left[v] < 0 {
			say("item %d is there too often, or not to be there", v)
			return
		}
	}
}

var (
	nodeLine = regexp.MustCompile(`(?m)^    s(\d+)\["`)
	edgeLine = regexp.MustCompile(`(?m)^    s(\d+) [=-]+>(?:\|.*\|)? s(\d+)$`)
)

func nodes(s pipeline.Stage[int, int]) int { return len(nodeLine.FindAllString(s.Mermaid(), -1)) }

// checkFigures checks L9 for a run that has ended.
func checkFigures(say func(string, ...any), s pipeline.Stage[int, int], st []pipeline.StageStats, a, b kind, e ending, calls *[2]atomic.Int64) {
	isBuffer := func(i int) bool { return st[i].Name == "buffer" }
	before := map[int][]int{} // the stages that send to one; Buffers are on the way
	for _, m := range edgeLine.FindAllStringSubmatch(s.Mermaid(), -1) {
		from, _ := strconv.Atoi(m[1])
		to, _ := strconv.Atoi(m[2])
		before[to] = append(before[to], from)
	}
	var senders func(i int) []int
	senders = func(i int) (out []int) {
		for _, from := range before[i] {
			if isBuffer(from) {
				out = append(out, senders(from)...)
			} else {
				out = append(out, from)
			}
		}
		return out
	}
	sent, received := map[string]uint64{}, map[string]uint64{} // by who sends
	for i := range st {
		if s := st[i]; s.Depth != 0 || s.In != s.Done+s.Skipped+s.Failed+s.Discarded {
			say("stage %d: depth %d, %v", i, s.Depth, s)
		}
		from := senders(i)
		if isBuffer(i) || len(from) == 0 {
			continue
		}
		if st[i].Name == "zip" { // it takes one of each
			for _, f := range from {
				if st[i].In > st[f].Out || e.whole && st[i].In != st[f].Out {
					say("zip has received %d of %d", st[i].In, st[f].Out)
				}
			}
			continue
		}
		key := fmt.Sprint(slices.Sorted(slices.Values(from)))
		received[key] += st[i].In
		sent[key] = 0
		for _, f := range from {
			sent[key] += st[f].Out
		}
	}
	for key := range maps.Keys(sent) {
		branch := strings.Contains(s.String(), "buffer(1)") // a branch that is no stage takes its part, too
		if received[key] > sent[key] || e.whole && !branch && received[key] != sent[key] {
			say("stages %s have sent %d, and %d were received", key, sent[key], received[key])
		}
	}
	// Of whom it is known what comes of an item.
	for i := range st {
		switch name := st[i].Name; {
		case name == "map" || name == "tap" || name == "throttle" || name == "middle" || name == "zip" || name == "split" || name == "by key":
			if st[i].Out != st[i].Done {
				say("stage %d: %v", i, st[i])
			}
		case name == "take":
			if st[i].Out > st[i].In || st[i].In > st[i].Out+1 {
				say("take has received %d and sent %d", st[i].In, st[i].Out)
			}
		case name == "filter" || name == "on discard":
			if st[i].Out != st[i].Done {
				say("stage %d: %v", i, st[i])
			}
		}
	}
	atB := nodes(s) - nodes(b.stage(func() {}))
	for i, at := range []int{a.counted, atB + b.counted} {
		if k := []kind{a, b}[i]; k.counted >= 0 && int64(st[at].In) != calls[i].Load() {
			say("stage %d has received %d items, its function has been called for %d", at, st[at].In, calls[i].Load())
		}
	}
	if mid := st[nodes(a.stage(func() {}))]; mid.Name == "middle" {
		var failed uint64
		if e.failed && e.name != "cancel" {
			failed = 1
		}
		if mid.Failed != failed {
			say("%d failed in the middle", mid.Failed)
		}
	}
}
