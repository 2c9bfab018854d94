package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/outcome"
)

// A step is a stage that calls a function for each item and sends on what that
// returns: Map, Filter, Tap and Throttle in one.
type step[In, Out any] struct {
	options
	fn      func(context.Context, In) (Out, error)
	replace func(error) (Out, error)
	letters func(In, error) error
}

// errDropped is what the function of a step returns for an item that is to go
// no further, and is no failure.
var errDropped = errors.New("pipeline: dropped")

func newStep[In, Out any](kind string, o options, fn func(context.Context, In) (Out, error)) step[In, Out] {
	s := step[In, Out]{options: o, fn: fn}
	if o.name == "" {
		s.name = kind
	}
	stage := fmt.Sprintf("stage %q", s.name)
	s.replace = misuse.Untyped[func(error) (Out, error)](o.replace, "pipeline: Replace: "+stage)
	s.letters = misuse.Untyped[func(In, error) error](o.letters, "pipeline: DeadLetter: "+stage)
	return s
}

func (p step[In, Out]) stage(exact bool) Stage[In, Out] {
	sh := shapeOf(p.node())
	s := Stage[In, Out]{shape: sh, connect: p.connectCrew}
	if p.workers == 1 {
		s = inlined(sh, p.connectInline)
	}
	s.exact = exact && p.onError == nil && p.letters == nil && !(p.unordered && p.workers > 1)
	return s
}

// A worker works on one item after the other.
type worker[In, Out any] struct {
	step[In, Out]
	scope
	meter *meter
	item  In // what it works on, if someone may want to see it
	// spent says that an attempt has had effects: there must not be another.
	spent bool
	// stopped says that an item has ended the run: the worker does no more.
	stopped bool
	exit    func()
	// exited gets what has become of an item whose function has called Goexit,
	// while the goroutine unwinds.
	exited func(out Out, keep bool)
}

func newWorker[In, Out any](p step[In, Out], s scope, exited func(Out, bool)) worker[In, Out] {
	return worker[In, Out]{step: p, scope: s, meter: s.meter(), exited: exited}
}

// work returns what comes of v, and whether anything does. An error says that
// the run has ended, or that it is to end now.
func (w *worker[In, Out]) work(v In) (out Out, keep bool, err error) {
	if w.exit == nil {
		w.exit = w.goexit
	}
	if w.letters != nil {
		w.item = v
	}
	if out, err = w.call(v); err != nil && err != errDropped {
		return w.failed(v, err)
	}
	return out, err == nil, nil
}

func (w *worker[In, Out]) goexit() {
	if out, keep, err := w.judge(w.item, ErrGoexit); err == nil {
		w.exited(out, keep)
	}
}

// call calls the function, with the time limit if there is one.
func (w *worker[In, Out]) call(v In) (Out, error) {
	if w.timeout == 0 {
		return outcome.Call(w.ctx, w.fn, v, w.exit)
	}
	cause := fmt.Errorf("no result within %v: %w", w.timeout, context.DeadlineExceeded)
	ctx, cancel := context.WithTimeoutCause(w.ctx, w.timeout, cause)
	defer cancel()
	out, err := outcome.Call(ctx, w.fn, v, w.exit)
	if err != nil && err != errDropped && ctx.Err() != nil && w.ctx.Err() == nil && !panicked(err) {
		err = context.Cause(ctx) // the time limit, whatever the function made of it
	}
	return out, err
}

func panicked(err error) bool {
	_, yes := errors.AsType[*PanicError](err)
	return yes
}

// again reports whether it makes sense to try again after err.
func again(err error) bool { return !panicked(err) && !outcome.IsPermanent(err) }

// failed tries v again, and decides what becomes of it if that does not help.
func (w *worker[In, Out]) failed(v In, err error) (out Out, keep bool, _ error) {
	for n := 1; n < w.retry.Attempts && !w.spent && again(err) && w.ctx.Err() == nil; n++ {
		if ended := w.sleep(w.retry.pause(n)); ended != nil {
			err = ended
			break
		}
		if out, err = w.call(v); err == nil || err == errDropped {
			return out, err == nil, nil
		}
	}
	return w.judge(v, err)
}

// sleep passes d, or returns the cause of the scope's end.
func (s scope) sleep(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	_, _, err := ctxselect.Recv(s.ctx, timer.C)
	return err
}

// judge decides what becomes of v, which failed: another value, nothing, or the
// end of the run, which is an error.
func (w *worker[In, Out]) judge(v In, err error) (out Out, keep bool, end error) {
	if w.ctx.Err() != nil {
		w.stop(err)
		return out, false, err
	}
	w.meter.failed()
	outcome.Run(
		func() (fate fate[Out], _ error) { return w.decide(v, err), nil },
		func(f fate[Out], broken error) {
			switch {
			case broken != nil: // a handler panicked, or called Goexit and does not return
				end = errors.Join(broken, err)
			case f.keep:
				out, keep = f.value, true
				return
			case f.skip:
				w.meter.skipped()
				return
			default:
				end = f.err
			}
			w.stop(end)
		})
	return out, keep, end
}

func (w *worker[In, Out]) stop(err error) {
	w.stopped = true
	w.fail(w.name, err)
}

// A fate is what handlers decide on a failed item.
type fate[Out any] struct {
	value      Out
	keep, skip bool
	err        error
}

// decide asks the handlers.
func (w *worker[In, Out]) decide(v In, err error) fate[Out] {
	if w.replace != nil {
		value, failed := w.replace(err)
		if failed == nil {
			return fate[Out]{value: value, keep: true}
		}
		err = failed
	}
	skip := w.letters != nil
	if w.onError != nil {
		skip = w.onError(err) == Skip
	}
	if skip && w.letters != nil {
		if lost := w.letters(v, err); lost != nil {
			return fate[Out]{err: errors.Join(lost, err)}
		}
	}
	return fate[Out]{skip: skip, err: err}
}
