package pool

import (
	"context"
	"runtime/pprof"
	"strconv"
)

// Profiler labels. A task runs with the labels of its own context, and in a pool with a
// name with those of the pool as well, on any goroutine. The context of a task answers with
// all of them, so that pprof.Do in the task restores them.
//
// The labels of a goroutine cannot be read, so a worker sets them before every task: the
// task before it may have set others.

// labelKey is the key by which package pprof looks for the labels of a context.
var labelKey = func() any {
	p := keyProbe{Context: context.Background()}
	pprof.Label(&p, "")
	return p.key
}()

// labelsFor returns a context that has the labels for a task submitted under ctx, nil if
// there are none. worker is -1 for a task that no worker runs.
func (c *core) labelsFor(ctx context.Context, worker int) context.Context {
	has := false
	pprof.ForLabels(ctx, func(string, string) bool { has = true; return false })
	switch {
	case c.name == "" && !has:
		return nil
	case c.name == "":
		return ctx
	}
	return c.named(ctx, worker)
}

// named returns ctx with the labels of the pool, if it has a name.
func (c *core) named(ctx context.Context, worker int) context.Context {
	switch {
	case c.name == "":
		return ctx
	case worker < 0:
		return pprof.WithLabels(ctx, pprof.Labels("pool", c.name))
	}
	return pprof.WithLabels(ctx, pprof.Labels("pool", c.name, "worker", strconv.Itoa(worker)))
}

// labelContext returns a context that has the labels for a task under c, and no others.
func (c *taskContext) labelContext() context.Context {
	if c.labels == nil {
		return context.Background()
	}
	return c.labels
}

// waiterLabels returns a context that has the labels to restore on the calling goroutine,
// g, which waits under ctx, after a task has run in place on it. That is ctx if it comes
// from the task that waits, and otherwise the context of that task.
func (e *engine[T, R]) waiterLabels(ctx context.Context, at place, g uint64) context.Context {
	switch {
	case e.mark(ctx) != nil:
		return ctx
	case at.task != nil:
		return at.task
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, w := range e.workers {
		if w.goid == g && w.ctx != nil { // the caller's own worker
			return w.ctx
		}
	}
	return ctx
}
