package taskctx

import (
	"context"

	"github.com/tandemgo/tandem/internal/sched"
)

// A Root is the part of a pool that the contexts of its tasks refer to, so that a context
// that outlives the pool keeps nothing else of it. It ends with the context that the pool
// was made under, and by Stop. It does not end when the pool is closed.
type Root struct {
	*joined
	name   string          // of the pool
	under  context.Context // the context that the pool was made under
	values context.Context // under without its end

	// end ends when under does; it is nil if under cannot end. The functions that under
	// calls at its end run a little later, so end is asked before a task is accepted or
	// started.
	end context.Context
}

// NewRoot returns the root of a pool that is made under a context. The name may be empty.
func NewRoot(under context.Context, name string) *Root {
	r := &Root{name: name, under: under, values: context.WithoutCancel(under)}
	if under.Done() == nil {
		r.joined = join()
		return r
	}
	r.end = endOf(under)
	r.joined = join(r.end)
	return r
}

// Mortal reports whether the context that the pool was made under can end.
func (r *Root) Mortal() bool { return r.end != nil }

// Over reports whether the context that the pool was made under has ended.
func (r *Root) Over() bool { return r.end != nil && sched.Err(r.end) != nil }

// Err ends r first if the context that the pool was made under has ended.
func (r *Root) Err() error {
	if r.Over() {
		r.link.fire(r.end)
	}
	return sched.Err(r.joined)
}

// Stop ends r with the given cause, or with that of the context that the pool was made
// under if that has ended.
func (r *Root) Stop(cause error) {
	if sched.Err(r) == nil {
		sched.Cancel(func() { r.cancel(cause) })
	}
}

// Value returns the value of the context that the pool was made under.
func (r *Root) Value(key any) any {
	switch {
	case key == cancelKey:
		_ = sched.Err(r) // context.Cause asks for the key before it calls Err
		return r.joined.Value(key)
	case key == any(watchKey{}):
		return r.joined
	}
	return r.values.Value(key)
}
