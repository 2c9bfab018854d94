package pool

import "context"

// A poolContext is the part of a pool that the contexts of its tasks refer to, so that a
// context that outlives the pool keeps nothing else of it. It ends with the context given
// by WithContext and when the pool is stopped; it does not end when the pool is closed.
type poolContext struct {
	*joined
	root   context.Context // given by WithContext
	values context.Context // root without its end

	// rootEnd ends when root does; it is nil if root cannot end. The functions that root
	// calls at its end run a little later, so rootEnd is asked before a task is accepted or
	// started.
	rootEnd context.Context
}

func newPoolContext(root context.Context) *poolContext {
	p := &poolContext{root: root, values: context.WithoutCancel(root)}
	if root.Done() == nil {
		p.joined = join()
		return p
	}
	p.rootEnd = endOf(root)
	p.joined = join(p.rootEnd)
	return p
}

// over reports whether the context given by WithContext has ended.
func (p *poolContext) over() bool { return p.rootEnd != nil && p.rootEnd.Err() != nil }

// Err ends p first if root has ended.
func (p *poolContext) Err() error {
	if p.over() {
		p.link.fire(p.rootEnd)
	}
	return p.joined.Err()
}

// stop ends p with the given cause, or with that of root if root has ended.
func (p *poolContext) stop(cause error) {
	if p.Err() == nil {
		p.cancel(cause)
	}
}

func (p *poolContext) Value(key any) any {
	switch {
	case key == cancelKey:
		_ = p.Err() // context.Cause asks for the key before it calls Err
		return p.joined.Value(key)
	case key == any(watchKey{}):
		return p.joined
	}
	return p.values.Value(key)
}
