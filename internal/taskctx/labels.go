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

// labelsOf returns ctx if it has labels, and the background otherwise.
func labelsOf(ctx context.Context) context.Context {
	has := false
	pprof.ForLabels(ctx, func(string, string) bool { has = true; return false })
	if !has {
		return context.Background()
	}
	return ctx
}

// Named returns ctx with the labels of the pool, if it has a name. worker is -1 where no worker runs.
func (r *Root) Named(ctx context.Context, worker int) context.Context {
	switch {
	case r.name == "":
		return ctx
	case worker < 0:
		return pprof.WithLabels(ctx, pprof.Labels("pool", r.name))
	}
	return pprof.WithLabels(ctx, pprof.Labels("pool", r.name, "worker", strconv.Itoa(worker)))
}
