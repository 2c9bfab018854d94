package taskctx

import (
	"context"

	"github.com/tandemgo/tandem/internal/sched"
)

// A Root is the part of a pool that the contexts of its tasks refer to, so that a context
// that outlives the pool keeps nothing else of it. It ends with the context that the pool
// was made under, and by Stop. It does not end when the pool is closed.
type Root struct {
	ender
	name string // of the pool

	// end ends when the context that the pool was made under does; it is nil if that cannot end.
	// The functions that a context calls at its end run a little later, so end is asked before a
	// task is accepted or started.
	end context.Context
}

// NewRoot returns the root of a pool that is made under a context. The name may be empty.
func NewRoot(under context.Context, name string) *Root {
	r := &Root{ender: ender{submitted: under, cancellable: true}, name: name}
	if under.Done() != nil {
		r.end = endOf(under)
	}
	return r
}

// Mortal reports whether the context that the pool was made under can end.
func (r *Root) Mortal() bool { return r.end != nil }

// Over reports whether the context that the pool was made under has ended.
func (r *Root) Over() bool { return r.end != nil && sched.Err(r.end) != nil }

// Stop ends r with the given cause, or with that of the context that the pool was made
// under if that has ended.
func (r *Root) Stop(cause error) {
	if sched.Err(r) == nil {
		r.End(cause)
	}
}
