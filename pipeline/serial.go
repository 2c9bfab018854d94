package pipeline

import "github.com/tandemgo/tandem/internal/outcome"

// A serial is the one worker of a step. The stage before calls it for each item, or the
// goroutine of an edge.
type serial[In, Out any] struct {
	between[Out]
	worker[In, Out]
	edge    *edge[Out] // the same as out, or nil: to call an interface costs more
	calling bool       // the function
}

// connectInline is for one worker, on any goroutine.
func (p step[In, Out]) connectInline(s scope, out sink[Out]) (*lifetime, sink[In]) {
	sends(s, out)
	return s.life, newSerial(p, s, out)
}

func newSerial[In, Out any](p step[In, Out], s scope, out sink[Out]) *serial[In, Out] {
	w := &serial[In, Out]{between: between[Out]{out}}
	w.edge, _ = out.(*edge[Out])
	w.worker = newWorker(p, s, func(v Out, keep bool) {
		if keep {
			_ = sendGuarded(out, v) // if not, the next item will not come either
		}
	})
	s.meter().begun = func() uint64 { return w.begun }
	return w
}

func (w *serial[In, Out]) send(v In) error {
	if w.timeout > 0 { // something has to be set up for each call
		out, keep, err := w.work(v)
		if err != nil || !keep {
			return err
		}
		return w.out.send(out)
	}
	if w.life.over.Load() {
		return w.refuse(v)
	}
	w.begun++
	w.item, w.calling = v, true
	out, err := w.fn(w.life.Context, v)
	w.calling = false
	if err != nil {
		if err == ErrSkip && !w.exactly {
			w.meter.skipped.Add(1)
			return nil
		}
		return w.decided(w.failed(v, outcome.Sound(err)))
	}
	var none In
	w.item = none
	if w.edge != nil {
		return w.edge.send(out)
	}
	return w.out.send(out)
}

// decided sends the result, if there is one, for an item in work that has failed.
func (w *serial[In, Out]) decided(out Out, keep bool, err error) error {
	var none In
	if w.item = none; err != nil || !keep {
		return err
	}
	return sendGuarded(w.out, out)
}

func (w *serial[In, Out]) caught(failed error) (error, bool) {
	switch {
	case !w.calling:
		return w.out.caught(failed)
	case failed == ErrGoexit:
		w.calling = false
		return w.decided(w.judge(w.item, failed)), true
	}
	w.calling = false
	return w.decided(w.failed(w.item, failed)), true
}
