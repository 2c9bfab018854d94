package pipeline

import "github.com/tandemgo/tandem/internal/outcome"

// A sink is where the items of a stage go. One goroutine at a time calls it.
type sink[T any] interface {
	// send returns when v is on its way. An error means that no more are wanted: the
	// caller stops, and does not call end.
	send(v T) error
	// end is called when all items have been sent.
	end()
	// caught takes the outcome of a function that has panicked or called Goexit during a
	// call of send. It returns false if the function belongs to none of the sinks from
	// here on.
	caught(failed error) (err error, found bool)
}

// sendGuarded is send for a caller that does not guard its calls itself.
func sendGuarded[T any](to sink[T], v T) (err error) {
	returned := false
	defer guard(to, &returned, &err)
	err = to.send(v)
	returned = true
	return err
}

// guard is deferred around calls of to.send: to guard each call of a function costs more
// than a cheap function.
func guard[T any](to sink[T], returned *bool, err *error) {
	if *returned {
		return
	}
	failed, r := ErrGoexit, recover()
	if r != nil {
		failed = outcome.Panicked(r)
	}
	end, found := to.caught(failed)
	if !found && r != nil {
		panic(r) // not of a function of the user
	}
	*err = end
}

// A between is a part of a sink that sends on to out, on the same goroutine.
type between[T any] struct{ out sink[T] }

func (b between[T]) end() { b.out.end() }

func (b between[T]) caught(failed error) (error, bool) { return b.out.caught(failed) }

// refuse has the edge behind to take v, which is not sent. A stage that is fused behind has
// counted v already.
func refuse[T any](to sink[T], v T) {
	if e, ok := to.(interface{ refuse(T) }); ok {
		e.refuse(v)
	}
}
