package pipeline

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/tandemgo/tandem/internal/link"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/point"
)

// FlatMap returns a stage whose function emits any number of items for each item; each is
// sent at once. emit waits while downstream is busy, and returns an error when the run has
// ended, for fn to return. The item is not sent then; an [OnDiscard] behind gets it. It may be called by several
// goroutines, until fn returns; later it returns an error. In an ordered stage
// with several workers, a call may be up to 16 items ahead of its turn.
func FlatMap[In, Out any](fn func(ctx context.Context, in In, emit func(Out) error) error, opts ...Option) Stage[In, Out] {
	misuse.Nil(fn == nil, "pipeline: FlatMap: function")
	o := newOptions("FlatMap", "flatmap", opts)
	p := flatMap[In, Out]{step[In, struct{}]{options: o}, fn}
	sh := shapeOf(p.node())
	switch {
	case o.workers == 1:
		return inlined(sh, p.connectInline)
	case o.unordered:
		return Stage[In, Out]{shape: sh, connect: p.connectUnordered}
	}
	return Stage[In, Out]{shape: sh, connect: p.connectOrdered}
}

// A flatMap is a FlatMap stage. Its calls have no result: they emit.
type flatMap[In, Out any] struct {
	step[In, struct{}]
	emits func(context.Context, In, func(Out) error) error
}

// errLate is the error of emit once its function has returned.
var errLate = errors.New("pipeline: emit called after its function returned")

// An emission is the output of one call. Items go through the gate one by one.
type emission[Out any] struct {
	ctx        context.Context
	gate       *link.Gate
	to         outlet[Out]
	ending     *atomic.Bool // the run does
	some, over atomic.Bool
}

func (e *emission[Out]) emit(v Out) error {
	if err := e.gate.Enter(e.ctx); err != nil {
		refuse(e.to, v)
		return err
	}
	defer e.gate.Leave() // a stage that is fused behind may call Goexit
	if e.over.Load() {
		return errLate
	}
	if e.ending.Load() || e.ctx.Err() != nil { // there may be room for many more
		refuse(e.to, v)
		return cause(e.ctx)
	}
	e.some.Store(true)
	return e.to.send(v)
}

// finish returns when no item of the call is on its way to the outlet, and no
// other can be, also if the run has ended: a goroutine that the call has left behind
// may be in a function of a stage that is fused behind.
func (e *emission[Out]) finish() {
	_ = e.gate.Enter(context.Background())
	defer e.gate.Leave()
	e.over.Store(true)
}

// calling returns the function of a worker whose calls emit to the result of to.
func calling[In, Out, R any](p flatMap[In, Out], w *worker[In, R], to func() (*link.Gate, outlet[Out])) func(context.Context, In) (R, error) {
	return func(ctx context.Context, v In) (none R, err error) {
		e := &emission[Out]{ctx: w.ctx, ending: w.over}
		e.gate, e.to = to()
		defer func() {
			e.finish()
			w.spent = e.some.Load()
		}()
		return none, p.emits(ctx, v, e.emit)
	}
}

func (p flatMap[In, Out]) connectInline(s scope, out outlet[Out]) (context.Context, outlet[In]) {
	return s.ctx, newEmitter(p, s, out)
}

func newEmitter[In, Out any](p flatMap[In, Out], s scope, out outlet[Out]) *emitter[In, Out] {
	w := &emitter[In, Out]{out: out}
	w.worker = newWorker(p.step, s, func(struct{}, bool) {})
	s.begins(func() uint64 { return w.begun })
	gate := link.NewGate()
	w.fn = calling(p, &w.worker, func() (*link.Gate, outlet[Out]) { return gate, out })
	sends(s, out)
	return w
}

// An emitter is the one worker of a FlatMap.
type emitter[In, Out any] struct {
	worker[In, struct{}]
	out outlet[Out]
}

func (w *emitter[In, Out]) send(v In) error {
	_, _, err := w.work(v)
	return err
}

func (w *emitter[In, Out]) end() { w.out.end() }

// connectUnordered lets all workers emit through one gate.
func (p flatMap[In, Out]) connectUnordered(s scope, out *hop[Out]) (context.Context, *hop[In]) {
	in := newHop[In](s.run, s.ctx)
	s.team = s.newTeam()
	sends(s, out)
	gate := link.NewGate()
	_, blocks := s.team.clocks()
	gate.Time(blocks) // whoever is inside is about to be through, or blocked
	startCrew(s, in, nil, crewOf[In, struct{}]{
		step: p.step,
		outfit: func(h *hand[In, struct{}]) func(context.Context, In) (struct{}, error) {
			return calling(p, &h.worker, func() (*link.Gate, outlet[Out]) { return gate, out })
		},
		end: out.end,
	})
	return s.ctx, in
}

// connectOrdered gives each call a link of its own, and a goroutine that passes
// on the items that come over these, one after the other.
func (p flatMap[In, Out]) connectOrdered(s scope, out *hop[Out]) (context.Context, *hop[In]) {
	in := newHop[In](s.run, s.ctx)
	order := newHop[*call[Out]](s.run, s.ctx)
	order.widen(2 * min(p.workers, most))
	s.team = s.newTeam()
	passes(s, out, nil) // on a goroutine that is not one of the workers
	spare := calls[Out]{s: s, keeps: &out.keeps}
	s.run.settle(func() {
		for _, c := range spare.all {
			for _, v := range c.rest() {
				out.refuse(v)
			}
		}
	})
	startCrew(s, in, order, crewOf[In, *call[Out]]{
		step: step[In, *call[Out]]{options: p.options},
		outfit: func(h *hand[In, *call[Out]]) func(context.Context, In) (*call[Out], error) {
			return calling(p, &h.worker, func() (*link.Gate, outlet[Out]) { return h.job.Result.gate, h.job.Result })
		},
		prepare: spare.get,
		done:    func(c *call[Out]) { c.end() },
	})
	s.run.spawn(func() {
		for {
			c, ok, err := order.items.Receive(s.ctx)
			if err == nil && ok {
				err = pass(s.ctx, c.hop, out)
			}
			if err != nil {
				s.run.interrupted()
				return
			}
			if !ok {
				out.end()
				return
			}
			point.At("pipeline: before a way is free again")
			spare.put(c)
		}
	})
	return s.ctx, in
}

// A call is the way of the items of one call to their turn.
type call[Out any] struct {
	*hop[Out]
	gate *link.Gate
	next *call[Out]
}

// calls keeps calls that have been passed on, to be used again.
type calls[Out any] struct {
	s     scope
	keeps *bool // of the hop behind
	mu    sync.Mutex
	free  *call[Out]
	all   []*call[Out]
}

func (cs *calls[Out]) get() *call[Out] {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.free
	if c == nil {
		h := &hop[Out]{ctx: cs.s.ctx, items: link.New[Out](link.Base - 1), keeps: *cs.keeps}
		_, blocks := cs.s.team.clocks()
		h.items.TimeSender(blocks)
		c = &call[Out]{hop: h, gate: link.NewGate()}
		cs.all = append(cs.all, c)
		return c
	}
	cs.free, c.next = c.next, nil
	c.items.Reopen()
	return c
}

func (cs *calls[Out]) put(c *call[Out]) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.free, c.next = c, cs.free
}
