package pipeline_test

import (
	"context"
	"errors"
	"slices"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/pipeline"
)

// How a program is run.
const (
	byLoop = iota
	byCollect
	byForEach
	byExecute
	byBreak  // leaves the loop
	byCancel // ends the context
	ways
)

// run runs the program in one of the ways and compares.
func (p *program) run() {
	way, at := p.in.IntN(ways), p.in.IntN(64)
	pause := time.Duration(p.in.IntN(3)) * time.Millisecond // of the sink, for each item
	ctx, cancel := context.WithCancelCause(p.t.Context())
	defer cancel(nil)
	if way == byCancel {
		time.AfterFunc(time.Duration(at)*time.Millisecond, func() { cancel(errLeft) })
	}
	var got []int
	var err error
	take := func(v int) { got = append(got, v); time.Sleep(pause) }
	walking := 0
	source := func(yield func(int) bool) {
		walking++
		defer func() { walking-- }()
		for _, v := range p.source {
			if !yield(v) {
				return
			}
		}
	}
	switch way {
	case byCollect:
		got, err = p.stage.Collect(ctx, pipeline.Seq(source))
	case byForEach:
		err = p.stage.ForEach(ctx, pipeline.Seq(source), func(_ context.Context, v int) error { take(v); return nil })
	case byExecute:
		got, err = p.execute(ctx, take, &got)
	default:
		for v, e := range p.stage.Run(ctx, pipeline.Seq(source)) {
			if err = e; e != nil {
				break
			}
			if take(v); way == byBreak && len(got) > at {
				break
			}
		}
	}
	if walking != 0 {
		p.t.Error("the source is walked still")
	}
	for i, g := range p.gauges {
		if g.Most() > p.workers[i] || g.Now() != 0 {
			p.t.Errorf("stage %d of %v had %d calls at once, %d workers, %d are running still", i, p.stage, g.Most(), p.workers[i], g.Now())
		}
	}
	p.compare(way, got, err)
	p.lost(err == nil && way != byBreak && way != byCancel && !p.cut)
}

// lost looks at what the stages have skipped; whole says that they got all items.
func (p *program) lost(whole bool) {
	close(p.letters)
	var kept []int
	for v := range p.letters {
		kept = append(kept, v)
	}
	slices.Sort(kept)
	slices.Sort(p.kept)
	if whole && !slices.Equal(kept, p.kept) || !p.cut && !contains(p.kept, kept) {
		p.t.Errorf("%v kept %v elsewhere, want %v", p.stage, kept, p.kept)
	}
	if p.seen == nil || !whole {
		return
	}
	skipped := 0
	for _, s := range p.seen.Stats() {
		skipped += int(s.Skipped)
	}
	if skipped != p.skipped {
		p.t.Errorf("%v: %d skipped were seen, want %d\n%v", p.stage, skipped, p.skipped, p.seen.Stats())
	}
}

// execute runs the program on channels.
func (p *program) execute(ctx context.Context, take func(int), got *[]int) ([]int, error) {
	in := make(chan int)
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer close(in)
		for _, v := range p.source {
			select {
			case in <- v:
			case <-ctx.Done():
				return
			}
		}
	}()
	out, wait := p.stage.Execute(ctx, in)
	for v := range out {
		take(v)
	}
	err := wait()
	cancel()
	synctest.Wait()
	return *got, err
}

func (p *program) compare(way int, got []int, err error) {
	var why *pipeline.StageError
	switch {
	case err == nil:
	case way == byCancel && errors.Is(err, errLeft): // what failed meanwhile may be joined to it
	case (p.fails || p.may) && errors.As(err, &why) && why.Stage == badStage && errors.Is(err, errProgram):
	default:
		p.t.Errorf("%v: %v", p.stage, err)
	}
	early := way == byBreak || way == byCancel
	if p.fails && err == nil && !early {
		p.t.Errorf("%v: no error", p.stage)
	}
	want := p.want
	if p.unordered {
		got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	}
	switch {
	case err == nil && !early || way == byCancel && err == nil && !p.fails:
		if !slices.Equal(got, want) {
			p.t.Errorf("%v gave %v, want %v", p.stage, got, want)
		}
	case p.unordered:
		if !contains(want, got) {
			p.t.Errorf("%v gave %v, which is no part of %v", p.stage, got, want)
		}
	case len(got) > len(want) || !slices.Equal(got, want[:len(got)]):
		p.t.Errorf("%v gave %v, which is not how %v begins", p.stage, got, want)
	}
}

// contains reports whether all of part, which is sorted, is in whole.
func contains(whole, part []int) bool {
	for _, v := range whole {
		if len(part) > 0 && part[0] == v {
			part = part[1:]
		}
	}
	return len(part) == 0
}
