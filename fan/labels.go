package fan

import (
	"context"
	"runtime/pprof"
)

// Labels are the profiler labels that functions run with on the goroutines that a call
// has started: those of ctx, the context of the call. ctx is nil if it has none.
type labels struct{ ctx context.Context }

// inherit gives the labels of ctx to a goroutine that has just started: it has those of
// the goroutine that started it.
func inherit(ctx context.Context) (l labels) {
	pprof.SetGoroutineLabels(ctx)
	pprof.ForLabels(ctx, func(string, string) bool {
		l.ctx = ctx
		return false
	})
	return l
}

// set gives the labels to the goroutine again. It is called before each function, or
// each run of cheap ones, since an earlier one may have left others.
func (l labels) set() {
	if l.ctx != nil {
		pprof.SetGoroutineLabels(l.ctx)
	}
}
