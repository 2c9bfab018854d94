// Package outcome runs a function of the user exactly once and reports how it ended:
// with a value, with an error, with a panic, or with runtime.Goexit.
//
// All user code of Tandem is called here, so the five packages agree on the errors that
// stand for a panic and a Goexit.
//
// A Goexit cannot be stopped: it ends its goroutine. Run therefore reports through a
// callback, which during a Goexit is called while the goroutine unwinds. Spawn
// continues a loop of calls on a new goroutine, so a Goexit does not cost a worker.
package outcome

import "context"

// Run calls fn once and passes its outcome to settle, exactly once and on the same
// goroutine: the value and error of fn, a zero value with a *PanicError, or a zero
// value with ErrGoexit. In the last case settle is called while the goroutine unwinds,
// and Run does not return.
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

// guard returns a panic of fn as an error. A Goexit passes through it.
func guard[T any](fn func() (T, error)) (v T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = Panicked(r)
		}
	}()
	v, err = fn()
	return v, Sound(err)
}

// Spawn starts a goroutine that calls loop. If user code in loop ends the goroutine by
// a Goexit, Spawn starts another one in its place, until loop returns. Then it calls
// done, if not nil, on the last goroutine.
//
// loop must keep its state outside of itself and settle the call in progress by Run, so
// that the next goroutine continues from a consistent state.
func Spawn(loop, done func()) {
	go func() {
		returned := false
		defer func() {
			if !returned {
				// The goroutine ends by a Goexit, or by a panic that no result can
				// carry. Such a panic is not recovered: it ends the program, and the
				// new goroutine with it.
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

// Call is a cheaper form of Run for a function that is called once for each of many
// items. It returns the outcome of a call that returns or panics. During a Goexit it
// calls exited and does not return.
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
	if err != nil { // otherwise no call is made
		err = Sound(err)
	}
	return out, err
}
