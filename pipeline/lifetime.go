package pipeline

import (
	"context"

	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/stage"
)

// A lifetime is a context that stages live in, and the flag and the rings that tell their
// goroutines of its end.
type lifetime struct {
	context.Context
	cancel context.CancelCauseFunc
	// over is set when the context ends, or just before: no function of a stage begins
	// after that. It costs less to look at than the context. When the caller's context is
	// the one that ends, over is set a little later.
	over  sched.Bool
	inner []*lifetime // those that end with this one

	// Goroutines park on rings and not on the context. These are called when it ends.
	wakes []func()
	stop  func() // returns when none is being called, and none will be
}

// newLifetime returns a lifetime in ctx. It is called before the goroutines of r start.
func (r *run) newLifetime(ctx context.Context) *lifetime {
	l := new(lifetime)
	l.Context, l.cancel = context.WithCancelCause(ctx)
	r.lifetimes = append(r.lifetimes, l)
	return l
}

// within returns a lifetime for the stages upstream of one that lives in outer.
func (r *run) within(outer *lifetime) *lifetime {
	inner := r.newLifetime(outer.Context)
	outer.inner = append(outer.inner, inner)
	return inner
}

// end ends the lifetime.
func (l *lifetime) end(cause error) {
	l.setOver()
	sched.Cancel(func() { l.cancel(cause) })
}

func (l *lifetime) setOver() {
	l.over.Store(true)
	for _, inner := range l.inner {
		inner.setOver()
	}
}

// ended reports whether no function is to begin.
func (l *lifetime) ended() bool { return l.over.Load() || sched.Err(l.Context) != nil }

// cause returns why the lifetime ends. The flag may have been set a moment before: then
// cause waits, since no error may be taken for one that has nothing to do with the end.
func (l *lifetime) cause() error {
	sched.ParkCtx(l.Context, nil)
	return context.Cause(l.Context)
}

// watch has the goroutines woken when the context ends, or at once if it has. No ring may
// change any more.
func (l *lifetime) watch() {
	l.stop = stage.Watch(l.Context, func() {
		l.setOver()
		for _, wake := range l.wakes {
			wake()
		}
	})
}
