package natspool

import (
	"context"
	"sync/atomic"
)

// A taskContext is the context of a task. It marks the calls that are made inside the task.
type taskContext struct {
	context.Context
	core      *core
	delivered int
	ended     atomic.Bool // the task and the error handler have returned
}

type (
	attemptKey struct{}
	insideKey  struct{ core *core }
)

// Value returns the package's own values for its keys, and otherwise a value of the
// root.
func (t *taskContext) Value(key any) any {
	switch key {
	case attemptKey{}:
		return t.delivered
	case insideKey{t.core}:
		return t
	}
	return t.Context.Value(key)
}

// inside reports whether ctx is the context of a running task of c or derived from one.
func (c *core) inside(ctx context.Context) bool {
	t, ok := ctx.Value(insideKey{c}).(*taskContext)
	return ok && !t.ended.Load()
}
