package pipeline

import (
	"context"
	"sync/atomic"

	"github.com/tandemgo/tandem/internal/link"
)

// connectCrew is for several workers.
func (p step[In, Out]) connectCrew(s scope, out *hop[Out]) (context.Context, *hop[In]) {
	out.widen(2 * min(p.workers, most))
	in := newHop[In](s.run, s.ctx)
	s.team = s.newTeam()
	sends(s, out)
	startCrew(s, in, out, crewOf[In, Out]{step: p})
	return s.ctx, in
}

// crewOf describes the workers of one stage.
type crewOf[In, Out any] struct {
	step[In, Out]
	// outfit, if set, makes the function of a worker.
	outfit func(*hand[In, Out]) func(context.Context, In) (Out, error)
	// prepare, if set, makes the result of an item as work on it begins, and the crew
	// sends it at once; done is called with it when the work has ended.
	prepare func() Out
	done    func(Out)
	// end, if set, is called at the end, when there is no hop that could be closed.
	end func()
}

// startCrew puts the team of s, workers between in and out, there once the run
// starts. The caller measures the output of the stage: it may be more than the workers
// put on out.
func startCrew[In, Out any](s scope, in *hop[In], out *hop[Out], of crewOf[In, Out]) {
	receives(s, in)
	begun := new(atomic.Uint64)
	s.begins(begun.Load)
	hands := newWorker(of.step, s, nil)
	hands.index = 0
	s.run.prepare(func() {
		var start func()
		var behind *link.Link[Out]
		if out != nil {
			behind = out.items
		}
		c := link.NewCrew(in.items, behind, of.workers, !of.unordered, func() { start() })
		c.Prepare, c.End = of.prepare, of.end
		c.Waits, c.Blocks = s.team.clocks()
		start = func() {
			h := &hand[In, Out]{worker: hands, in: in, crew: c, total: begun, done: of.done}
			h.exited = h.finish
			if of.outfit != nil {
				h.fn = of.outfit(h)
			}
			s.run.begin(s.team.timed(h.loop))
		}
		start()
		if behind != nil {
			s.run.settle(func() { c.Drain(out.refuse) })
		}
	})
}

// A hand is one of several workers of a stage.
type hand[In, Out any] struct {
	worker[In, Out]
	in    *hop[In]
	crew  *link.Crew[In, Out]
	job   link.Job[In, Out]
	total *atomic.Uint64 // items that the workers have begun, of those who have ended
	done  func(Out)
}

// finish is called with the result of the job's item.
func (h *hand[In, Out]) finish(out Out, keep bool) {
	var none In
	h.item = none
	if h.done != nil {
		h.done(h.job.Result)
		return
	}
	h.job.Result, h.job.Keep = out, keep
}

func (h *hand[In, Out]) loop() {
	defer func() {
		h.total.Add(h.begun)
		h.begun = 0
	}()
	// A worker whose item has ended the run does not put it down: the result that waits
	// behind it would seem to be next.
	for !h.stopped {
		ok, err := h.crew.Turn(h.ctx, &h.job)
		if err != nil {
			h.run.interrupted()
		}
		if !ok {
			return
		}
		h.index = h.job.Number()
		out, keep, err := h.work(h.job.Item)
		if err != nil {
			if h.refused {
				h.in.giveBack(h.job.Item)
			}
			return
		}
		h.finish(out, keep)
	}
}
