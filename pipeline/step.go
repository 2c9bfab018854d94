package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
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
	over  *atomic.Bool // no function is to begin
	begun uint64       // items
	item  In           // what it works on, if someone may want to see it
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
	return worker[In, Out]{step: p, scope: s, meter: s.meter(), over: &s.run.bell(s.ctx).over, exited: exited}
}

// ended reports whether no function is to begin.
func (w *worker[In, Out]) ended() bool { return w.over.Load() || w.ctx.Err() != nil }

// work returns what comes of v, and whether anything does. An error says that
// the run has ended, or that it is to end now.
func (w *worker[In, Out]) work(v In) (out Out, keep bool, err error) {
	if w.ended() {
		return out, false, cause(w.ctx)
	}
	w.begun++
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
	limit := &lateError{limit: w.timeout}
	ctx, cancel := context.WithTimeoutCause(w.ctx, w.timeout, limit)
	defer cancel()
	out, err := outcome.Call(ctx, w.fn, v, w.exit)
	if err != nil && err != errDropped && ctx.Err() != nil && w.ctx.Err() == nil && !panicked(err) {
		if err == ctx.Err() || err == error(limit) {
			return out, limit
		}
		return out, &lateError{w.timeout, err}
	}
	return out, err
}

// A lateError is the error of a call that had no result within its time limit.
type lateError struct {
	limit time.Duration
	own   error // of the function; nil if it said no more than that its context has ended
}

func (e *lateError) Error() string {
	text := fmt.Sprintf("no result within %v: %v", e.limit, context.DeadlineExceeded)
	if e.own != nil {
		text += ": " + e.own.Error()
	}
	return text
}

func (e *lateError) Unwrap() []error {
	if e.own == nil {
		return []error{context.DeadlineExceeded}
	}
	return []error{context.DeadlineExceeded, e.own}
}

func panicked(err error) bool {
	_, yes := errors.AsType[*PanicError](err)
	return yes
}

// again reports whether it makes sense to try again after err.
func again(err error) bool { return !panicked(err) && !outcome.IsPermanent(err) }

// failed tries v again, and decides what becomes of it if that does not help.
func (w *worker[In, Out]) failed(v In, err error) (out Out, keep bool, _ error) {
	var before error // what the function said last, if it says no more than that time is up
	for n := 1; n < w.retry.Attempts && !w.spent && again(err); n++ {
		if w.ended() || w.sleep(w.retry.pause(n)) != nil || w.ended() {
			break
		}
		if late, ok := err.(*lateError); !ok || late.own != nil {
			before = err
		}
		if out, err = w.call(v); err == nil || err == errDropped {
			return out, err == nil, nil
		}
	}
	if late, ok := err.(*lateError); ok && late.own == nil && before != nil {
		err = errors.Join(err, before)
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
	if w.ended() {
		w.stop(err)
		return out, false, err
	}
	w.meter.failed()
	outcome.Run(
		func() (fate fate[Out], _ error) { return w.decide(v, &err), nil },
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
				end = err
			}
			w.stop(end)
		})
	return out, keep, end
}

func (w *worker[In, Out]) stop(err error) {
	w.stopped = true
	if w.over.Load() {
		_ = cause(w.ctx) // known before it is seen whether err matters
	}
	w.fail(w.name, err)
}

// A fate is what handlers decide on a failed item.
type fate[Out any] struct {
	value      Out
	keep, skip bool
}

// decide asks the handlers, unless the run ends. What they add to the error of v is
// in err.
func (w *worker[In, Out]) decide(v In, err *error) fate[Out] {
	if w.replace != nil {
		value, failed := w.replace(*err)
		if failed == nil {
			return fate[Out]{value: value, keep: true}
		}
		*err = both(failed, *err)
	}
	skip := w.letters != nil && !w.ended()
	if w.onError != nil && !w.ended() {
		skip = w.onError(*err) == Skip
	}
	if skip && w.letters != nil {
		if w.ended() {
			return fate[Out]{}
		}
		if lost := w.letters(v, *err); lost != nil {
			*err = both(lost, *err)
			return fate[Out]{}
		}
	}
	return fate[Out]{skip: skip}
}

// both returns an error in whose chain are later and first, which later may wrap.
func both(later, first error) error {
	if errors.Is(later, first) {
		return later
	}
	return errors.Join(later, first)
}
