package pipeline

import (
	"context"

	"github.com/tandemgo/tandem/internal/outcome"
)

// A soloist is the one worker of a step. It is called for each item by the stage
// before, or it takes them from a hop itself.
type soloist[In, Out any] struct {
	worker[In, Out]
	out outlet[Out]
	// The same, if it is one of these: their calls are cheaper.
	hop   *hop[Out]
	inner inner[Out]
	frame frame // of takeAll: its own would be allocated for each call
}

// connectInline is for one worker, on whatever goroutine it is.
func (p step[In, Out]) connectInline(s scope, out outlet[Out]) (context.Context, outlet[In]) {
	w := &soloist[In, Out]{out: out}
	w.hop, _ = out.(*hop[Out])
	w.inner, _ = out.(inner[Out])
	w.worker = newWorker(p, s, func(v Out, keep bool) {
		if keep {
			_ = out.send(v) // if not, the next item will not come either
		}
	})
	w.exit = w.goexit
	s.begins(func() uint64 { return w.begun })
	sends(s, out)
	if p.timeout > 0 {
		return s.ctx, guarded[In]{w, w}
	}
	return s.ctx, w
}

// guarded hides the other methods of a soloist than those of an outlet: it has to set up
// something for each call.
type guarded[T any] struct {
	outlet[T]
	refuser
}

func (w *soloist[In, Out]) send(v In) error {
	out, keep, err := w.work(v)
	if err != nil || !keep {
		return err
	}
	return w.out.send(out)
}

func (w *soloist[In, Out]) end() { w.out.end() }

// An inner is an outlet that can do without guarding each call against a panic:
// the loop that it is called from does that once for many items, and finds out by
// the frame whose function it was.
type inner[T any] interface {
	pass(v T, f *frame) error
}

// A frame says which function is being called in a loop.
type frame struct{ at culprit }

// A culprit has its function called in a loop. caught or goexit gets the
// outcome of the item in work.
type culprit interface {
	caught(err error) error
	goexit()
}

func (w *soloist[In, Out]) pass(v In, f *frame) error {
	if w.over.Load() {
		return w.refuse() // v is dropped, so this must not look like the end
	}
	w.begun++
	w.item = v
	f.at = w
	out, err := w.fn(w.ctx, v)
	f.at = nil
	switch {
	case err != nil:
		if err == ErrSkip && !w.exactly {
			w.meter.skip()
			return nil
		}
		return w.caught(err)
	case w.hop != nil:
		return w.hop.send(out)
	case w.inner != nil:
		return w.inner.pass(out, f)
	}
	return w.out.send(out)
}

// caught sends the result, if there is one, for an item in work that has failed.
func (w *soloist[In, Out]) caught(err error) error {
	out, keep, err := w.failed(w.item, err)
	if err != nil || !keep {
		return err
	}
	return w.out.send(out)
}

// loop is pass for the items of a hop.
func (w *soloist[In, Out]) loop(in *hop[In]) (err error) {
	var none In
	defer func() { w.item = none }()
	for err == nil && in.items.More() && w.ctx.Err() == nil {
		err = w.takeAll(in)
	}
	return err
}

// takeAll works until there is no item, or a function has panicked.
func (w *soloist[In, Out]) takeAll(in *hop[In]) (err error) {
	w.frame.at = nil
	defer func() {
		at := w.frame.at
		if at == nil {
			return
		}
		if r := recover(); r != nil {
			err = at.caught(outcome.Panicked(r))
		} else {
			at.goexit()
		}
	}()
	for {
		v, ok := in.items.Next()
		if !ok {
			return nil
		}
		if in.items.Rested() && w.ctx.Err() != nil {
			in.giveBack(v)
			return context.Cause(w.ctx)
		}
		if err := w.pass(v, &w.frame); err != nil {
			if w.refused {
				in.giveBack(v)
			}
			return err
		}
	}
}
