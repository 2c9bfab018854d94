package pipeline

import (
	"context"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/stage"
)

// Stateful returns a stage that keeps a state for the length of a run, for totals,
// sessions, or batches by size in bytes or by key. open makes the state as the run starts.
// each is called for one item at a time and may emit any number of items, as in [FlatMap].
// end is called when the input has come to its end, and may emit the rest of
// the state. closeState, which may be nil, releases the state.
//
// end is not called in a run that ends early. closeState is always called if open
// succeeded: after end, or when all goroutines of a run that has ended early have
// returned. An error of open, end or closeState ends the run; an error of each is treated
// like that of a [Map]. The functions are called one at a time, so the state needs no lock
// unless they start goroutines.
//
// Stateful has a goroutine of its own and takes neither [WithWorkers] nor [WithRetry]: the
// state depends on the order of items, and a call that failed may have changed it. To
// spread keys over several states, run it in a [ByKey]. Stateful panics if open, each or
// end is nil.
func Stateful[S, In, Out any](open func(context.Context) (S, error), each func(ctx context.Context, state S, in In, emit func(Out) error) error,
	end func(ctx context.Context, state S, emit func(Out) error) error, closeState func(S) error, opts ...Option) Stage[In, Out] {
	misuse.Nil(open == nil, "pipeline: Stateful: open")
	misuse.Nil(each == nil, "pipeline: Stateful: each")
	misuse.Nil(end == nil, "pipeline: Stateful: end")
	o := newOptions("Stateful", "stateful", opts, "WithWorkers", "WithRetry")
	inline := func(s scope, out sink[Out]) (*lifetime, sink[In]) {
		k := &keeper[S, In, Out]{to: out, open: open, finish: end, closeState: closeState}
		p := flatMap[In, Out]{step[In, struct{}]{options: o}, func(ctx context.Context, in In, emit func(Out) error) error {
			return each(ctx, k.state, in, emit)
		}}
		k.serial = newEmitter(p, s, out)
		s.run.finally(func() { _ = k.close() })
		return s.life, k
	}
	return Stage[In, Out]{shape: shapeOf(o.node()), connect: connected(inline)}
}

// A keeper is the worker of a Stateful.
type keeper[S, In, Out any] struct {
	*serial[In, struct{}]
	to         sink[Out]
	open       func(context.Context) (S, error)
	finish     func(context.Context, S, func(Out) error) error
	closeState func(S) error

	state  S
	tried  bool
	opened bool // and not closed
}

// begin opens the state before the first item, unless the run has ended.
func (k *keeper[S, In, Out]) begin() error {
	switch {
	case k.tried:
		return nil
	case k.ended():
		return k.life.cause()
	}
	k.tried = true
	return k.call(k.fail, func() (err error) {
		k.state, err = k.open(k.life.Context)
		k.opened = err == nil
		return err
	})
}

func (k *keeper[S, In, Out]) end() {
	if k.ended() {
		return
	}
	e := &emission[Out]{run: k.run, life: k.life, mu: stage.NewMutex(nil), to: k.to}
	err := k.call(k.fail, func() error {
		defer e.finish()
		return k.finish(k.life.Context, k.state, e.emit)
	})
	if err == nil && k.close() == nil {
		k.out.end()
	}
}

// close releases the state, once.
func (k *keeper[S, In, Out]) close() error {
	if !k.opened {
		return nil
	}
	k.opened = false
	state := k.state
	var none S
	k.state = none
	if k.closeState == nil {
		return nil
	}
	return k.call(k.run.fail, func() error { return k.closeState(state) })
}

// call calls a function that belongs to no item. fail gets its error.
func (k *keeper[S, In, Out]) call(fail func(string, int, error) bool, fn func() error) (failed error) {
	outcome.Run(
		func() (struct{}, error) { return struct{}{}, fn() },
		func(_ struct{}, err error) {
			if failed = err; err != nil {
				fail(k.name, -1, err)
			}
		})
	return failed
}
