package pipeline

import (
	"context"

	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/spsc"
	"github.com/tandemgo/tandem/internal/stage"
)

// connectWorkers is for several workers.
func (p step[In, Out]) connectWorkers(s scope, out *edge[Out]) (*lifetime, *edge[In]) {
	out.widen(p.workers)
	in := newEdge[In](s.life)
	s.team = s.newTeam()
	sends(s, out)
	startWorkers(s, in, out, workersOf[In, Out]{step: p})
	return s.life, in
}

// workersOf describes the workers of one stage.
type workersOf[In, Out any] struct {
	step[In, Out]
	// newFunc, if set, makes the function of a worker.
	newFunc func(*parallel[In, Out]) func(context.Context, In) (Out, error)
	// prepare, if set, makes the result of an item as work on it begins, and it is sent
	// at once; done is called with it when the work has ended.
	prepare func() Out
	done    func(Out)
	// end, if set, is called at the end, when there is no edge that could be closed.
	end func()
}

// startWorkers puts the team of s, workers between in and out, there once the run
// starts. The caller measures the output of the stage: it may be more than the workers
// put on out.
func startWorkers[In, Out any](s scope, in *edge[In], out *edge[Out], of workersOf[In, Out]) {
	receives(s, in)
	begun := new(sched.Uint64)
	s.meter().begun = begun.Load
	base := newWorker(of.step, s, nil)
	base.index, base.giveBack = 0, in.giveBack
	var start func()
	var behind *spsc.Ring[Out]
	if out != nil {
		behind = out.ring
	}
	c := stage.New(in.ring, behind, of.workers, !of.unordered, func() { start() })
	c.Prepare, c.End = of.prepare, of.end
	c.Waits, c.Blocks = s.team.clocks()
	start = func() {
		w := &parallel[In, Out]{worker: base, in: in, workers: c, total: begun, done: of.done}
		w.exited = w.finish
		if of.newFunc != nil {
			w.fn = of.newFunc(w)
		}
		s.run.spawn(s.team.timed(w.loop))
	}
	start()
	if behind != nil {
		s.run.settle(func() { c.Drain(out.refuse) })
	}
}

// A parallel is one of several workers of a stage.
type parallel[In, Out any] struct {
	worker[In, Out]
	in      *edge[In]
	workers *stage.Workers[In, Out]
	job     stage.Job[In, Out]
	total   *sched.Uint64 // items that the workers have begun, of those who have ended
	done    func(Out)
}

// finish is called with the result of the job's item.
func (w *parallel[In, Out]) finish(out Out, keep bool) {
	var none In
	w.item = none
	if w.done != nil {
		w.done(w.job.Result)
		return
	}
	w.job.Result, w.job.Keep = out, keep
}

func (w *parallel[In, Out]) loop() {
	defer func() {
		w.total.Add(w.begun)
		w.begun = 0
	}()
	// A worker whose item has ended the run does not put it down: the result that waits
	// behind it would seem to be next.
	for !w.stopped {
		ok, err := w.workers.Next(w.life.Context, &w.job)
		if err != nil {
			w.run.interrupted()
		}
		if !ok {
			return
		}
		w.index = w.job.Number()
		out, keep, err := w.work(w.job.Item)
		if err != nil {
			return
		}
		w.finish(out, keep)
	}
}
