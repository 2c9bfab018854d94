package fan

import (
	"context"
	"sync"

	"github.com/tandemgo/tandem/internal/link"
	"github.com/tandemgo/tandem/internal/outcome"
)

// A hand is one of several goroutines that call a function for what comes over a
// link.
type hand[In, Out any] struct {
	caller context.Context // of the call
	ctx    context.Context // of the functions
	labels labels
	fn     func(context.Context, In) (Out, error)
	crew   *link.Crew[In, Result[Out]]
	job    link.Job[In, Result[Out]]
	// failed gets the errors where there are no results.
	failed func(error)
}

// startHands starts up to n hands, as there is work for them. What they return
// goes to out, in order or as it is ready, or only errors to failed if out is
// nil.
func startHands[In, Out any](caller, ctx context.Context, wg *sync.WaitGroup, n int, ordered bool, in *link.Link[In], out *link.Link[Result[Out]], fn func(context.Context, In) (Out, error), failed func(error)) {
	l := labelsOf(caller)
	var start func()
	crew := link.NewCrew(in, out, n, ordered, func() { start() })
	start = func() {
		h := &hand[In, Out]{caller: caller, ctx: ctx, labels: l, fn: fn, crew: crew, failed: failed}
		wg.Add(1)
		outcome.Spawn(h.loop, wg.Done)
	}
	start()
}

func (h *hand[In, Out]) loop() {
	exited := h.exited
	for {
		if ok, _ := h.crew.Turn(h.ctx, &h.job); !ok {
			return
		}
		if over := ended(h.caller, h.ctx); over != nil { // since the item was taken
			var none Out
			h.settle(none, over)
			continue
		}
		h.labels.set()
		h.settle(outcome.Call(h.ctx, h.fn, h.job.Item, exited))
	}
}

func (h *hand[In, Out]) exited() {
	var none Out
	h.settle(none, ErrGoexit)
}

func (h *hand[In, Out]) settle(v Out, err error) {
	if h.failed == nil {
		h.job.Result, h.job.Keep = Result[Out]{v, err}, true
	} else if err != nil {
		h.failed(err)
	}
}
