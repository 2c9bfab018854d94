package fan

import (
	"context"
	"runtime/pprof"
)

// Labels are the profiler labels that functions run with on the goroutines that a
// call has started: those of ctx, the context of the call. ctx is nil if it has none.
// Then a goroutine keeps the labels of the one that started it. So does the goroutine
// of the caller in any case: its labels can be replaced, but not read and restored.
type labels struct{ ctx context.Context }

// labelsOf returns the labels of ctx.
func labelsOf(ctx context.Context) (l labels) {
	pprof.ForLabels(ctx, func(string, string) bool {
		l.ctx = ctx
		return false
	})
	return l
}

// set gives the labels to the goroutine. It is called before each function, or each
// run of cheap ones, since an earlier one may have left others.
func (l labels) set() {
	if l.ctx != nil {
		pprof.SetGoroutineLabels(l.ctx)
	}
}
