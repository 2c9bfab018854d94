package fan

import (
	"context"
	"runtime/pprof"
)

// Labels are the profiler labels with which the functions of a call run on
// goroutines that the call has started: a context that has labels. It is nil if the
// context of the call has none. Then a goroutine keeps the labels of the one that
// started it.
type labels struct{ ctx context.Context }

// labelsOf returns the labels of ctx.
func labelsOf(ctx context.Context) (l labels) {
	pprof.ForLabels(ctx, func(string, string) bool {
		l.ctx = ctx
		return false
	})
	return l
}

// set gives the labels to the goroutine. It is called before each function of the
// user: an earlier one may have left others.
func (l labels) set() {
	if l.ctx != nil {
		pprof.SetGoroutineLabels(l.ctx)
	}
}
