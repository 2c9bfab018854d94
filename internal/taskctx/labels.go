package taskctx

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

// labelsFor returns a context that has the labels for a task submitted under ctx. worker is -1 for a task that no worker runs.
func (r *Root) labelsFor(ctx context.Context, worker int) context.Context {
	has := false
	pprof.ForLabels(ctx, func(string, string) bool { has = true; return false })
	switch {
	case r.name == "" && !has:
		return context.Background()
	case r.name == "":
		return ctx
	}
	return r.Named(ctx, worker)
}

// Named returns ctx with the labels of the pool, if it has a name.
func (r *Root) Named(ctx context.Context, worker int) context.Context {
	switch {
	case r.name == "":
		return ctx
	case worker < 0:
		return pprof.WithLabels(ctx, pprof.Labels("pool", r.name))
	}
	return pprof.WithLabels(ctx, pprof.Labels("pool", r.name, "worker", strconv.Itoa(worker)))
}
