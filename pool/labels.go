package pool

import (
	"context"
	"runtime/pprof"
	"strconv"
)

// Profiler labels. User code runs with those of its own context, and in a pool with a
// name with the pool's besides, whatever goroutine it is on. The context of a task
// answers with all of them, so that pprof.Do in the task sets them again.
//
// A goroutine's labels cannot be read. A worker sets them before each task that has
// some, and otherwise when the last one that it set may still be there.

// labelKey is what package pprof asks contexts for.
var labelKey = func() any {
	p := keyProbe{Context: context.Background()}
	pprof.Label(&p, "")
	return p.key
}()

// labelsFor returns what to set labels by for work that was submitted under ctx, nil if
// it has none. worker is -1 for work that no worker does.
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

// wears returns what to set labels by for a task under c.
func (c *taskContext) wears() context.Context {
	if c.labels == nil {
		return context.Background()
	}
	return c.labels
}

// wear sets the labels for a task under c.
func (w *worker[T, R]) wear(c *taskContext) {
	switch {
	case c.labels != nil:
		pprof.SetGoroutineLabels(c.labels)
		w.dressed = true
	case w.dressed:
		w.undress()
	}
}

// undress sets the worker's own labels.
func (w *worker[T, R]) undress() {
	pprof.SetGoroutineLabels(w.own)
	w.dressed = false
}

// waiterLabels returns what to set labels by after a task has run in place on the
// calling goroutine, g, which waits under ctx: those of ctx if it comes from the task
// that waits, or else those of that task.
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
