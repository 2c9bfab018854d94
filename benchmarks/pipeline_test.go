package benchmarks

import (
	"context"
	"fmt"
	"iter"
	"testing"

	"github.com/tandemgo/tandem/pipeline"
)

const items = 20_000

// A stageFunc is what the libraries call for an item.
type stageFunc = func(context.Context, int) (int, error)

// A flow is one way to send what a source yields through stages: it calls sink
// with each result, one call at a time, and returns when there are no more.
// The source is an iterator for all, as it is for us, and all give the functions
// a context and see their errors.
type flow func(ctx context.Context, in iter.Seq[int], sink func(int)) error

type flowLib struct {
	name string
	run  flow
}

// BenchmarkPipeline sends items through three stages that add one; one
// operation is 20,000 items, ns/item is what counts.
func BenchmarkPipeline(b *testing.B) {
	const stages = 3
	inc := pipeline.Map(plusOne)
	chain := pipeline.Then(inc, pipeline.Then(inc, inc))
	fused := pipeline.Fuse(inc, pipeline.Fuse(inc, inc))
	fns := []stageFunc{plusOne, plusOne, plusOne}
	for _, lib := range []flowLib{
		{"tandem", tandemFlow(chain)},
		{"tandem-fused", tandemFlow(fused)},
		{"tandem-observed", observedFlow(chain)},
		{"channels=1024", channelFlow(1024, fns...)},
		{"channels=0", channelFlow(0, fns...)},
		{"conc", concFlow(stages, fns...)},
		{"ro", roFlow(fns...)},
		{"ro-observe-on", roObserveOnFlow(1024, fns...)},
		{"classic", classicFlow(items, stages)},
	} {
		b.Run("lib="+lib.name, func(b *testing.B) { benchFlow(b, lib.run, stages, true) })
	}
}

// benchFlow runs a flow of stages that add one, on 20,000 items an operation.
func benchFlow(b *testing.B, run flow, stages int, inOrder bool) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		var t tally
		err := run(b.Context(), count(items), t.add)
		t.check(b, err, items, stages, inOrder)
	}
	reportPerItem(b)
}

func reportPerItem(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/items, "ns/item")
}

// count yields 0 to n-1.
func count(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

func plusOne(_ context.Context, n int) (int, error) { return n + 1, nil }

// plusOneAfter is plusOne after some rounds of spin.
func plusOneAfter(rounds int) stageFunc {
	return func(_ context.Context, n int) (int, error) {
		if spin(n, rounds) {
			n++
		}
		return n, nil
	}
}

// A tally says whether everything has come out of a flow: how many items, their
// sum, and whether each was larger than the one before.
type tally struct {
	n, sum, last int
	disorder     bool
}

func (t *tally) add(v int) {
	if v <= t.last {
		t.disorder = true
	}
	t.last = v
	t.sum += v
	t.n++
}

// check fails b unless the tally is what comes of 0 to n-1 if each stage adds one.
func (t *tally) check(b *testing.B, err error, n, stages int, inOrder bool) {
	b.Helper()
	want := n*(n-1)/2 + stages*n
	if err != nil || t.n != n || t.sum != want || inOrder && t.disorder {
		b.Fatalf("%d items, sum %d, disorder %t, error %v; want %d items, sum %d",
			t.n, t.sum, t.disorder, err, n, want)
	}
}

func tandemFlow(s pipeline.Stage[int, int]) flow {
	return func(ctx context.Context, in iter.Seq[int], sink func(int)) error {
		for v, err := range s.Run(ctx, in) {
			if err != nil {
				return err
			}
			sink(v)
		}
		return nil
	}
}

// observedFlow has an observer, whose figures are read once a run.
func observedFlow(s pipeline.Stage[int, int]) flow {
	var seen pipeline.Observer
	run := tandemFlow(s.Observe(&seen))
	var all uint64 // items of all runs
	return func(ctx context.Context, in iter.Seq[int], sink func(int)) error {
		err := run(ctx, in, func(v int) { all++; sink(v) })
		if err != nil {
			return err
		}
		for _, stage := range seen.Stages() {
			if stage.In != all || stage.Out != all {
				return fmt.Errorf("%d items observed to go in and %d out, want %d", stage.In, stage.Out, all)
			}
		}
		return nil
	}
}
