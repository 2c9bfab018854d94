package pipeline

import (
	"context"
	"errors"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/spsc"
	"github.com/tandemgo/tandem/internal/stage"
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

// An emission is the output of one call. A mutex lets its items through one by one.
type emission[Out any] struct {
	run        *run
	life       *lifetime
	mu         *stage.Mutex
	to         sink[Out]
	some, over sched.Bool
}

func (e *emission[Out]) emit(v Out) error {
	if e.mu.Lock(e.life.Context) != nil {
		return e.refuse(v)
	}
	defer e.mu.Unlock() // a stage that is fused behind may call Goexit
	if e.over.Load() {
		return errLate
	}
	if e.life.ended() { // there may be room for many more
		return e.refuse(v)
	}
	e.some.Store(true)
	return sendGuarded(e.to, v)
}

// refuse gives back an item that is not sent, as the run has ended, and returns the cause.
// The function may not return it, so the run is told here that its end has kept an item back.
func (e *emission[Out]) refuse(v Out) error {
	refuse(e.to, v)
	e.run.interrupted()
	return e.life.cause()
}

// finish returns when no item of the call is on its way to the sink, and no
// other can be, also if the run has ended: a goroutine that the call has left behind
// may be in a function of a stage that is fused behind.
func (e *emission[Out]) finish() {
	_ = e.mu.Lock(context.Background())
	defer e.mu.Unlock()
	e.over.Store(true)
}

// calling returns the function of a worker whose calls emit to the result of to.
func calling[In, Out, R any](p flatMap[In, Out], w *worker[In, R], to func() (*stage.Mutex, sink[Out])) func(context.Context, In) (R, error) {
	return func(ctx context.Context, v In) (none R, err error) {
		e := &emission[Out]{run: w.run, life: w.life}
		e.mu, e.to = to()
		defer func() {
			e.finish()
			w.spent = e.some.Load()
		}()
		return none, p.emits(ctx, v, e.emit)
	}
}

func (p flatMap[In, Out]) connectInline(s scope, out sink[Out]) (*lifetime, sink[In]) {
	return s.life, newEmitter(p, s, out)
}

// newEmitter returns the one worker of a FlatMap.
func newEmitter[In, Out any](p flatMap[In, Out], s scope, out sink[Out]) *serial[In, struct{}] {
	w := newSerial(p.step, s, sink[struct{}](emitted[Out]{between[Out]{out}}))
	mu := stage.NewMutex(nil)
	w.fn = calling(p, &w.worker, func() (*stage.Mutex, sink[Out]) { return mu, out })
	sends(s, out)
	return w
}

// An emitted is where the results of calls that emit go: there is nothing to send.
type emitted[T any] struct{ between[T] }

func (emitted[T]) send(struct{}) error { return nil }

// connectUnordered lets all workers emit, one at a time.
func (p flatMap[In, Out]) connectUnordered(s scope, out *edge[Out]) (*lifetime, *edge[In]) {
	in := newEdge[In](s.life)
	s.team = s.newTeam()
	sends(s, out)
	_, blocks := s.team.clocks()
	mu := stage.NewMutex(blocks)
	startWorkers(s, in, nil, workersOf[In, struct{}]{
		step: p.step,
		newFunc: func(w *parallel[In, struct{}]) func(context.Context, In) (struct{}, error) {
			return calling(p, &w.worker, func() (*stage.Mutex, sink[Out]) { return mu, out })
		},
		end: out.end,
	})
	return s.life, in
}

// connectOrdered gives each call an edge of its own, and a goroutine that passes
// on the items that come over these, one after the other.
func (p flatMap[In, Out]) connectOrdered(s scope, out *edge[Out]) (*lifetime, *edge[In]) {
	in := newEdge[In](s.life)
	order := newEdge[*call[Out]](s.life)
	order.widen(p.workers)
	s.team = s.newTeam()
	passes(s, out, nil) // on a goroutine that is not one of the workers
	spare := calls[Out]{s: s, keeps: out.keeps}
	s.life.wakes = append(s.life.wakes, spare.wake)
	s.run.settle(func() {
		for _, c := range spare.all {
			for _, v := range c.rest() {
				out.refuse(v)
			}
		}
	})
	inTurn := step[In, *call[Out]]{options: p.options}
	inTurn.unordered = true // a call is on its way before it begins
	startWorkers(s, in, order, workersOf[In, *call[Out]]{
		step: inTurn,
		newFunc: func(w *parallel[In, *call[Out]]) func(context.Context, In) (*call[Out], error) {
			return calling(p, &w.worker, func() (*stage.Mutex, sink[Out]) { return w.job.Result.mu, w.job.Result })
		},
		prepare: spare.get,
		done:    func(c *call[Out]) { c.end() },
	})
	var through sink[Out] = endless[Out]{out}
	s.run.spawn(func() {
		for {
			c, ok, err := order.receive()
			if err == nil && ok {
				err = c.passAll(through)
			}
			if err != nil {
				s.run.interrupted()
				return
			}
			if !ok {
				out.end()
				return
			}
			spare.put(c)
		}
	})
	return s.life, in
}

// A call is the way of the items of one call to their turn.
type call[Out any] struct {
	*edge[Out]
	mu   *stage.Mutex // of emissions
	next *call[Out]
}

// calls keeps calls that have been passed on, to be used again.
type calls[Out any] struct {
	s     scope
	keeps bool // the edge behind does
	mu    sched.Mutex
	free  *call[Out]
	all   []*call[Out]
}

func (cs *calls[Out]) get() *call[Out] {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.free
	if c == nil {
		e := &edge[Out]{life: cs.s.life, ring: spsc.New[Out](spsc.Base - 1), keeps: cs.keeps}
		_, e.blocks = cs.s.team.clocks()
		c = &call[Out]{edge: e, mu: stage.NewMutex(nil)}
		cs.all = append(cs.all, c)
		return c
	}
	cs.free, c.next = c.next, nil
	c.ring.Reopen()
	return c
}

// wake wakes the goroutines that are parked at the end of the lifetime. Those of calls that
// begin later do not park.
func (cs *calls[Out]) wake() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for _, c := range cs.all {
		c.ring.Wake()
	}
}

func (cs *calls[Out]) put(c *call[Out]) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.free, c.next = c, cs.free
}

// An endless sends on to a sink that goes on after its end.
type endless[T any] struct{ sink[T] }

func (endless[T]) end() {}
