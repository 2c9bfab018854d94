// Package outcome runs a function supplied by the user exactly once and says
// how it ended: with a value, with an error, with a panic, or with
// runtime.Goexit.
//
// It is the one place in Tandem where user code is entered, so the five
// packages agree on the errors that stand for a panic and a Goexit.
//
// A Goexit cannot be stopped: it takes the goroutine with it. Run therefore
// reports through a callback, which during a Goexit is called while the
// goroutine unwinds, and Spawn keeps a loop of calls going on a fresh
// goroutine, so that a Goexit costs a goroutine but never a worker.
package outcome

import "context"

// Run calls fn once and hands the result to settle, exactly once and on
// the same goroutine: the value and error of fn, a zero value with a
// *PanicError, or a zero value with ErrGoexit. In the last case settle is
// called while the goroutine unwinds and Run does not return.
func Run[T any](fn func() (T, error), settle func(T, error)) {
	var v T
	err := ErrGoexit
	exited := true
	defer func() {
		if exited {
			settle(v, err)
		}
	}()
	v, err = guard(fn)
	exited = false
	settle(v, err)
}

// guard turns a panic of fn into an error. A Goexit passes through it.
func guard[T any](fn func() (T, error)) (v T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = Panicked(r)
		}
	}()
	return fn()
}

// Spawn starts a goroutine that calls loop, and starts another one in its
// place whenever loop is ended by a Goexit of the user code it calls, until
// loop returns. Then it calls done, if not nil, on the last of them.
//
// loop keeps its state outside of itself, and it settles the call in flight
// by way of Run, so that the next goroutine finds nothing half done.
func Spawn(loop, done func()) {
	go func() {
		returned := false
		defer func() {
			if !returned {
				// Here either by Goexit, or by a panic that no result can carry.
				// The latter is not recovered: it ends the program, and the
				// goroutine started here with it.
				Spawn(loop, done)
				return
			}
			if done != nil {
				done()
			}
		}()
		loop()
		returned = true
	}()
}

// Call is Run for a function that is called for one item after another: cheaper,
// since it returns the outcome of a call that returns or panics. During a Goexit
// it calls exited, and does not return.
func Call[In, Out any](ctx context.Context, fn func(context.Context, In) (Out, error), v In, exited func()) (out Out, err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if r := recover(); r != nil {
			err = Panicked(r)
			return
		}
		exited()
	}()
	out, err = fn(ctx, v)
	returned = true
	return out, err
}
