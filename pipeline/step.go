package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/sched"
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
	s := Stage[In, Out]{shape: sh, connect: p.connectWorkers}
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
	giveBack func(In) // takes an item that was received and not begun; may be nil
	begun    uint64   // items
	index    int      // of the item in work among those of the stage; -1: the worker is the only one
	attempts int      // calls for the item in work
	item     In       // the item in work, if a handler may need it
	// spent: an attempt has had effects, so there must not be another.
	spent bool
	// stopped: an item has ended the run, so the worker does no more.
	stopped bool
	// exited gets the result for an item whose function has called Goexit, while the
	// goroutine unwinds.
	exited func(out Out, keep bool)
}

func newWorker[In, Out any](p step[In, Out], s scope, exited func(Out, bool)) worker[In, Out] {
	return worker[In, Out]{step: p, scope: s, meter: s.meter(), index: -1, exited: exited}
}

func (w *worker[In, Out]) receivesFrom(giveBack func(In)) { w.giveBack = giveBack }

func (w *worker[In, Out]) ended() bool { return w.life.ended() }

// at returns the number of the item in work.
func (w *worker[In, Out]) at() int {
	if w.index < 0 {
		return int(w.begun) - 1
	}
	return w.index
}

// refuse gives back an item that was received when the run had ended, and returns the cause.
func (w *worker[In, Out]) refuse(v In) error {
	if w.giveBack != nil {
		w.giveBack(v)
	}
	return w.life.cause()
}

// work returns the result for v, and whether there is one. An error says that
// the run has ended, or that it is to end now.
func (w *worker[In, Out]) work(v In) (out Out, keep bool, err error) {
	if w.ended() {
		return out, false, w.refuse(v)
	}
	w.begun++
	if w.or != nil {
		w.item = v
	}
	if out, err = w.call(v); err != nil {
		return w.failed(v, err)
	}
	return out, true, nil
}

// call calls the function, with the time limit if there is one.
func (w *worker[In, Out]) call(v In) (Out, error) {
	if w.timeout == 0 {
		return outcome.Call(w.life.Context, w.fn, v, w.goexit)
	}
	limit := &lateError{limit: w.timeout}
	ctx, cancel := context.WithTimeoutCause(w.life.Context, w.timeout, limit)
	defer cancel()
	out, err := outcome.Call(ctx, w.fn, v, w.goexit)
	if err != nil && sched.Err(ctx) != nil && sched.Err(w.life) == nil && !skips(err) && !panicked(err) {
		if err == sched.Err(ctx) || err == error(limit) {
			return out, limit
		}
		return out, &lateError{w.timeout, err}
	}
	return out, err
}

// goexit is called while the goroutine unwinds, as the function has called Goexit.
func (w *worker[In, Out]) goexit() {
	if out, keep, err := w.judge(w.item, ErrGoexit); err == nil {
		w.exited(out, keep)
	}
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
	sched.Opaque("a worker pauses")
	timer := time.NewTimer(d)
	defer timer.Stop()
	sched.Opaque("a worker waits for the end of its pause")
	_, _, err := ctxselect.Recv(s.life, timer.C)
	return err
}

// judge decides on v, for which the function returned err: another value,
// nothing, or the end of the run, which is an error.
func (w *worker[In, Out]) judge(v In, err error) (out Out, keep bool, end error) {
	if skips(err) && !w.exactly {
		w.meter.skipped.Add(1)
		return out, false, nil
	}
	if w.ended() {
		w.stop(err)
		return out, false, err
	}
	decided := false
	outcome.Run(
		func() (value Out, failed error) {
			value, failed = w.decide(v, &err)
			decided = true
			return value, failed
		},
		func(value Out, failed error) {
			switch {
			case failed == nil:
				out, keep = value, true
				return
			case failed == ErrSkip:
				w.meter.skipped.Add(1)
				return
			case !decided: // a handler panicked, or called Goexit and does not return
				failed = errors.Join(failed, err)
			}
			end = failed
			w.stop(end)
		})
	return out, keep, end
}

// decide asks the handlers about v, unless the run ends. It returns another value, ErrSkip,
// or *err, which gets the errors that they add to that of v.
func (w *worker[In, Out]) decide(v In, err *error) (value Out, _ error) {
	skip := skips(*err)
	if w.or != nil && !skip {
		value, failed := w.or(w.life.Context, Failure[In]{v, *err, max(1, w.attempts)})
		if failed == nil {
			return value, nil
		}
		if skip = skips(failed); !skip {
			*err = both(failed, *err)
		}
	}
	switch {
	case skip && w.exactly:
		*err = both(errZipSkip, *err)
	case skip, w.onError != nil && !w.ended() && w.onError(*err) == Skip:
		return value, ErrSkip
	}
	return value, *err
}

// stop ends the run with err, or joins it to the errors of a run that has ended.
func (w *worker[In, Out]) stop(err error) {
	w.stopped = true
	if w.life.over.Load() {
		_ = w.life.cause() // known before it is seen whether err matters
	}
	if w.fail(w.name, w.at(), err) {
		w.meter.failed.Add(1)
	} else {
		w.meter.discarded.Add(1)
	}
}
