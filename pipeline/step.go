package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/outcome"
)

// A step is a stage that calls a function for each item and sends the result: Map, MapOr,
// Filter, Tap and Throttle in one.
type step[In, Out any] struct {
	options
	fn func(context.Context, In) (Out, error)
	or func(context.Context, Failure[In]) (Out, error) // of MapOr; nil otherwise
}

func (p step[In, Out]) stage(exact bool) Stage[In, Out] {
	sh := shapeOf(p.node())
	s := Stage[In, Out]{shape: sh, connect: p.connectCrew}
	if p.workers == 1 {
		s = inlined(sh, p.connectInline)
	}
	s.exact = exact && p.onError == nil && !(p.unordered && p.workers > 1)
	return s
}

// A worker works on one item after the other.
type worker[In, Out any] struct {
	step[In, Out]
	scope
	meter    *meter
	over     *atomic.Bool // no function is to begin
	begun    uint64       // items
	index    int          // of the item in work among those of the stage; -1: the worker is the only one
	attempts int          // calls for the item in work
	item     In           // the item in work, if a handler may need it
	// spent says that an attempt has had effects: there must not be another.
	spent bool
	// refused says that the last item was not begun, because the run has ended.
	refused bool
	// stopped says that an item has ended the run: the worker does no more.
	stopped bool
	exit    func()
	// exited gets the result for an item whose function has called Goexit, while the
	// goroutine unwinds.
	exited func(out Out, keep bool)
}

func newWorker[In, Out any](p step[In, Out], s scope, exited func(Out, bool)) worker[In, Out] {
	return worker[In, Out]{step: p, scope: s, meter: s.meter(), index: -1, over: &s.run.bell(s.ctx).over, exited: exited}
}

// ended reports whether no function is to begin.
func (w *worker[In, Out]) ended() bool { return w.over.Load() || w.ctx.Err() != nil }

// at returns the number of the item in work.
func (w *worker[In, Out]) at() int {
	if w.index < 0 {
		return int(w.begun) - 1
	}
	return w.index
}

// refuses reports whether the last item was not begun.
func (w *worker[In, Out]) refuses() bool { return w.refused }

// refuse notes that the item just received is not begun, and returns the cause.
func (w *worker[In, Out]) refuse() error {
	w.refused = true
	return cause(w.ctx)
}

// work returns the result for v, and whether there is one. An error says that
// the run has ended, or that it is to end now.
func (w *worker[In, Out]) work(v In) (out Out, keep bool, err error) {
	if w.ended() {
		return out, false, w.refuse()
	}
	w.begun++
	if w.exit == nil {
		w.exit = w.goexit
	}
	if w.or != nil {
		w.item = v
	}
	if out, err = w.call(v); err != nil {
		return w.failed(v, err)
	}
	return out, true, nil
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
	if err != nil && ctx.Err() != nil && w.ctx.Err() == nil && !skips(err) && !panicked(err) {
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
	own   error // of the function; nil if it only said that its context has ended
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

// again reports whether a further attempt after err makes sense.
func again(err error) bool { return !panicked(err) && !outcome.IsPermanent(err) && !skips(err) }

// failed tries v again, and calls judge if that does not help.
func (w *worker[In, Out]) failed(v In, err error) (out Out, keep bool, _ error) {
	defer func() { w.attempts = 0 }()
	var before error // the last error of the function that says more than that time is up
	for w.attempts = 1; w.attempts < w.retry.Attempts && !w.spent && again(err); {
		if w.ended() || w.sleep(w.retry.pause(w.attempts, err)) != nil || w.ended() {
			break
		}
		if late, ok := err.(*lateError); !ok || late.own != nil {
			before = err
		}
		w.attempts++
		if out, err = w.call(v); err == nil {
			return out, true, nil
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

// judge decides on v, for which the function returned err: another value,
// nothing, or the end of the run, which is an error.
func (w *worker[In, Out]) judge(v In, err error) (out Out, keep bool, end error) {
	if skips(err) && !w.exactly {
		w.meter.skip()
		return out, false, nil
	}
	if w.ended() {
		w.stop(err)
		return out, false, err
	}
	outcome.Run(
		func() (verdict[Out], error) { return w.decide(v, &err), nil },
		func(d verdict[Out], broken error) {
			switch {
			case broken != nil: // a handler panicked, or called Goexit and does not return
				end = errors.Join(broken, err)
			case d.keep:
				out, keep = d.value, true
				return
			case d.action == Skip:
				w.meter.skip()
				return
			default:
				end = err
			}
			w.stop(end)
		})
	return out, keep, end
}

// A verdict is the decision of the handlers on a failed item.
type verdict[Out any] struct {
	value  Out
	keep   bool
	action ErrorAction // unless keep
}

// decide asks the handlers about v, unless the run ends. err gets the errors
// that they add to that of v.
func (w *worker[In, Out]) decide(v In, err *error) (d verdict[Out]) {
	skip := skips(*err)
	if w.or != nil && !skip {
		value, failed := w.or(w.ctx, Failure[In]{v, *err, max(1, w.attempts)})
		if failed == nil {
			return verdict[Out]{value: value, keep: true}
		}
		if skip = skips(failed); !skip {
			*err = both(failed, *err)
		}
	}
	switch {
	case skip && w.exactly:
		*err = both(errZipSkip, *err)
	case skip:
		d.action = Skip
	case w.onError != nil && !w.ended():
		d.action = w.onError(*err)
	}
	return d
}

// stop ends the run with err, or joins it to the errors of a run that has ended.
func (w *worker[In, Out]) stop(err error) {
	w.stopped = true
	if w.over.Load() {
		_ = cause(w.ctx) // known before it is seen whether err matters
	}
	if w.fail(w.name, w.at(), err) {
		w.meter.fail()
	} else {
		w.meter.discard()
	}
}
