package pipeline_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pipeline"
)

// A program is a chain of stages, and what a loop over a slice would make of the
// same items.
type program struct {
	t         *testing.T
	in        *testkit.Script
	source    []int
	stage     pipeline.Stage[int, int]
	want      []int
	unordered bool
	fails     bool // a stage will end the run with errProgram
	may       bool // one may, or may not
	cut       bool // a Take has been there
	gauges    []*testkit.Gauge
	workers   []int              // the bounds of gauges
	seen      *pipeline.Observer // nil: nobody looks
	skipped   int                // items that it will see dropped
	kept      []int              // of these, the items that are kept elsewhere
	letters   chan int           // where that is
}

var (
	errProgram = errors.New("program failed")
	errLeft    = errors.New("left")
)

const badStage = "bad"

func newProgram(t *testing.T, in *testkit.Script) *program {
	p := &program{t: t, in: in, stage: pipeline.Tap(func(int) {})}
	for i := range in.IntN(64) {
		p.source = append(p.source, i)
	}
	p.want = slices.Clone(p.source)
	p.letters = make(chan int, 64*len(p.source)) // for all, after six stages that double them
	observed := in.Bool()
	for range in.IntN(6) {
		p.add(in.IntN(15))
	}
	if observed {
		p.seen = new(pipeline.Observer)
		p.stage = p.stage.Observe(p.seen)
	}
	return p
}

// each replaces every item by what fn makes of it.
func (p *program) each(fn func(v int) []int) {
	var out []int
	for _, v := range p.want {
		out = append(out, fn(v)...)
	}
	p.want = out
}

func (p *program) then(s pipeline.Stage[int, int]) { p.stage = pipeline.Then(p.stage, s) }

// busy returns a function that works on an item for a time that depends on it,
// and options for as many workers as it checks to be there at most.
func (p *program) busy(more ...pipeline.Option) (work func(context.Context, int), opts []pipeline.Option) {
	g := new(testkit.Gauge)
	workers, pace := 1+p.in.IntN(4), p.in.IntN(8)
	p.gauges, p.workers = append(p.gauges, g), append(p.workers, workers)
	opts = append(more, pipeline.WithWorkers(workers))
	if pace%2 == 1 {
		opts = append(opts, pipeline.Unordered())
		p.unordered = p.unordered || workers > 1
	}
	return func(_ context.Context, v int) {
		g.Enter()
		time.Sleep(time.Duration(pace*(v&3)) * time.Millisecond)
		g.Leave()
	}, opts
}

// add adds a stage to both.
func (p *program) add(kind int) {
	switch kind {
	case 0:
		work, opts := p.busy()
		p.then(pipeline.Map(func(ctx context.Context, v int) (int, error) { work(ctx, v); return 3*v + 1, nil }, opts...))
		p.each(func(v int) []int { return []int{3*v + 1} })
	case 1:
		work, opts := p.busy()
		m := 2 + p.in.IntN(4)
		p.then(pipeline.Filter(func(ctx context.Context, v int) (bool, error) { work(ctx, v); return v%m != 0, nil }, opts...))
		p.drop(func(v int) bool { return v%m == 0 })
	case 2:
		work, opts := p.busy()
		p.then(pipeline.FlatMap(func(ctx context.Context, v int, emit func(int) error) error {
			work(ctx, v)
			for i := range v % 3 {
				if err := emit(v + i); err != nil {
					return err
				}
			}
			return nil
		}, opts...))
		p.each(func(v int) []int { return []int{v, v + 1}[:v%3] })
	case 3:
		// Which ones it would take, or whether the error comes first, is left to
		// chance.
		if n := p.in.IntN(40); !p.unordered && !p.fails {
			p.then(pipeline.Take[int](n))
			p.want, p.cut = p.want[:min(n, len(p.want))], true
		}
	case 4:
		size, age := 1+p.in.IntN(9), time.Duration(p.in.IntN(4))*time.Millisecond
		p.then(pipeline.Then(pipeline.Batch[int](size, age), pipeline.Unbatch[int]()))
	case 5:
		p.stage = p.stage.Buffer(p.in.IntN(5))
	case 6:
		p.then(pipeline.Fuse(pipeline.Tap(func(int) {}), pipeline.Filter(func(_ context.Context, v int) (bool, error) { return v%5 != 0, nil })))
		p.drop(func(v int) bool { return v%5 == 0 })
	case 7:
		p.skip()
	case 8:
		work, opts := p.busy()
		lane := pipeline.Map(func(ctx context.Context, v int) (int, error) { work(ctx, v); return v + 7, nil }, opts...)
		lanes := 1 + p.in.IntN(3)
		p.workers[len(p.workers)-1] *= lanes
		p.then(pipeline.ByKey(lanes, func(v int) int { return v % 4 }, lane))
		p.each(func(v int) []int { return []int{v + 7} })
		p.unordered = p.unordered || lanes > 1
	case 9:
		even := pipeline.Filter(func(_ context.Context, v int) (bool, error) { return v%4 == 0, nil })
		p.then(pipeline.Split(func(v int) bool { return v%2 == 0 }, map[bool]pipeline.Stage[int, int]{true: even, false: pipeline.Buffer[int](2)}))
		p.drop(func(v int) bool { return v%4 == 2 || v%4 == -2 })
		p.unordered = true
	case 10:
		work, opts := p.busy()
		a := pipeline.Map(func(ctx context.Context, v int) (int, error) { work(ctx, v); return v, nil }, opts[:1]...)
		if len(opts) > 1 { // Zip takes what keeps the order
			return
		}
		p.then(pipeline.Zip(a, pipeline.Tap(func(int) {}), func(x, y int) int { return x + 2*y }))
		p.each(func(v int) []int { return []int{3 * v} })
	case 11:
		pause := time.Duration(p.in.IntN(4)) * time.Millisecond
		p.then(pipeline.Throttle[int](func(context.Context) error { time.Sleep(pause); return nil }))
	case 14: // all twice
		p.then(pipeline.Merge(pipeline.Tap(func(int) {}), pipeline.Buffer[int](1)))
		p.each(func(v int) []int { return []int{v, v} })
		p.unordered = true
	case 12:
		p.retry()
	case 13:
		p.fail()
	}
}

// drop has the stage just added skip the items of which fn says so.
func (p *program) drop(fn func(int) bool) {
	p.each(func(v int) []int {
		if fn(v) {
			p.skipped++
			return nil
		}
		return []int{v}
	})
}

// skip adds a stage at which items fail, and are dropped, replaced, or kept
// elsewhere.
func (p *program) skip() {
	work, opts := p.busy()
	m, how := 2+p.in.IntN(4), p.in.IntN(3)
	if how == 0 {
		opts = append(opts, pipeline.WithErrorHandler(func(err error) pipeline.ErrorAction {
			if !errors.Is(err, errProgram) {
				p.t.Errorf("the handler saw %v", err)
			}
			return pipeline.Skip
		}))
	}
	fn := func(ctx context.Context, v int) (int, error) {
		if work(ctx, v); v%m == 0 {
			return 0, errProgram
		}
		return v, nil
	}
	or := func(_ context.Context, f pipeline.Failure[int]) (int, error) {
		if f.Item%m != 0 || !errors.Is(f.Err, errProgram) {
			p.t.Errorf("a failure of %d: %v", f.Item, f.Err)
		}
		if how == 1 {
			return 100, nil
		}
		p.letters <- f.Item
		return 0, pipeline.ErrSkip
	}
	if how == 0 {
		p.then(pipeline.Map(fn, opts...))
	} else {
		p.then(pipeline.MapOr(fn, or, opts...))
	}
	p.each(func(v int) []int {
		if v%m != 0 {
			return []int{v}
		}
		switch how {
		case 0:
			p.skipped++
		case 1:
			return []int{100}
		case 2:
			p.skipped++
			p.kept = append(p.kept, v)
		}
		return nil
	})
}

// retry adds a stage whose function succeeds at the second attempt.
func (p *program) retry() {
	work, opts := p.busy(pipeline.WithRetry(pipeline.RetryPolicy{Attempts: 2, Delay: time.Millisecond}))
	type attempt struct{ n int }
	first := pipeline.Map(func(_ context.Context, v int) (int, error) { return v, nil })
	key := make(chan map[int]*attempt, 1)
	key <- map[int]*attempt{}
	p.then(pipeline.Then(first, pipeline.Map(func(ctx context.Context, v int) (int, error) {
		work(ctx, v)
		seen := <-key
		defer func() { key <- seen }()
		if seen[v] == nil {
			seen[v] = new(attempt)
		}
		if seen[v].n++; seen[v].n == 1 {
			return 0, errProgram
		}
		return v, nil
	}, opts...)))
}

// fail adds a stage that fails at some items, by an error or a panic.
func (p *program) fail() {
	work, opts := p.busy(pipeline.WithName(badStage))
	at, panics := p.in.IntN(64), p.in.Bool()
	p.then(pipeline.Map(func(ctx context.Context, v int) (int, error) {
		if work(ctx, v); v%64 == at && panics {
			panic(errProgram)
		} else if v%64 == at {
			return 0, errProgram
		}
		return v, nil
	}, opts...))
	i := slices.IndexFunc(p.want, func(v int) bool { return v%64 == at })
	if i < 0 && p.cut {
		p.may = true // at an item that the Take behind would not have let through
	}
	p.fails = p.fails || i >= 0
}
