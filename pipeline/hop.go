package pipeline

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/tandemgo/tandem/internal/link"
	"github.com/tandemgo/tandem/internal/point"
)

// An outlet is where a stage's items go. One goroutine at a time calls it.
type outlet[T any] interface {
	// send returns when v is on the way. An error says that no more are wanted:
	// the caller stops, and does not call end.
	send(v T) error
	// end says that all has been sent.
	end()
}

// A hop is the way of items from one goroutine to the next.
type hop[T any] struct {
	// ctx is the sender's. The receiver leaves with it, too.
	ctx context.Context
	// Both ends wait on items. Until the run starts, a Buffer may change it.
	items    *link.Link[T]
	buffered int // what Buffers have asked for; -1 if there is none

	// unsent counts values that were made for the hop and found the run at its end.
	unsent  atomic.Uint64
	keeps   bool  // an OnDiscard wants the values that are left over
	discard gauge // of the OnDiscard that gets it; nil if there is none
	mu      sync.Mutex
	left    []T // values that were not sent, or taken and not begun, if it keeps them
}

func newHop[T any](r *run, ctx context.Context) *hop[T] {
	h := &hop[T]{ctx: ctx, items: link.Adaptive[T](link.Base), buffered: -1}
	r.prepare(func() { // a Buffer may change the link until then
		h.items.Attend()
		r.bell(ctx).add(h.items)
	})
	return h
}

// most bounds the items of a hop, so that sums of such bounds fit an int of 32 bits.
const most = 1 << 28

// buffer makes the hop hold n items more than other Buffers have asked for.
func (h *hop[T]) buffer(n int) {
	h.buffered = min(max(h.buffered, 0)+min(n, most), most)
	h.items = link.New[T](h.buffered)
}

// widen makes room for n results in work or waiting for their turn.
func (h *hop[T]) widen(n int) {
	n = min(n, most)
	if h.buffered < 0 {
		h.items = link.Adaptive[T](max(n, link.Base))
		return
	}
	h.items = link.New[T](h.buffered + n)
}

func (h *hop[T]) send(v T) error {
	if h.items.Put(v) {
		return nil
	}
	return h.wait(v)
}

// wait is send when there is no room.
func (h *hop[T]) wait(v T) error {
	err := h.items.Send(h.ctx, v)
	if err != nil {
		h.refuse(v)
	}
	return err
}

func (h *hop[T]) end() { h.items.Close() }

// refuse takes a value that was made for the hop and is not sent, as the run has ended. It
// counts as sent: it is discarded between two stages.
func (h *hop[T]) refuse(v T) {
	h.unsent.Add(1)
	h.giveBack(v)
}

// refuse has the hop behind to take v, which is not sent. A stage that is fused behind has
// counted v already.
func refuse[T any](to outlet[T], v T) {
	if h, ok := to.(interface{ refuse(T) }); ok {
		h.refuse(v)
	}
}

// giveBack takes a value that was received from the hop and not begun.
func (h *hop[T]) giveBack(v T) {
	if h.keeps {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.left = append(h.left, v)
	}
}

// rest returns the values that are left over. It is called when all goroutines have ended.
func (h *hop[T]) rest() []T {
	for v, ok := h.items.Next(); ok; v, ok = h.items.Next() {
		h.left = append(h.left, v)
	}
	return h.left
}

// Sent and Freed make a hop a gauge.
func (h *hop[T]) Sent() uint64  { return h.items.Sent() + h.unsent.Load() }
func (h *hop[T]) Freed() uint64 { return h.items.Freed() }

// hopped returns the connect of a stage that has inline: a goroutine that calls it with
// each item of a hop.
func hopped[In, Out any](inline func(scope, outlet[Out]) (context.Context, outlet[In])) func(scope, *hop[Out]) (context.Context, *hop[In]) {
	return func(s scope, out *hop[Out]) (context.Context, *hop[In]) {
		return drive(s, out, inline)
	}
}

// drive is hopped for any outlet.
func drive[In, Out any](s scope, out outlet[Out], inline func(scope, outlet[Out]) (context.Context, outlet[In])) (context.Context, *hop[In]) {
	s.team = s.newTeam()
	ctx, to := inline(s, out)
	in := newHop[In](s.run, ctx)
	receives(s, in)
	turn := func() error { return takeAll(in, to) }
	if l, ok := to.(looper[In]); ok {
		turn = func() error { return l.loop(in) }
	}
	s.run.spawn(s.team.timed(func() {
		point.At("pipeline: a stage begins")
		for ctx.Err() == nil && turn() == nil {
			// Wait for an item, or for the end. It is the end, too, if no more are
			// wanted: a stage that lives in s.ctx, and not in ctx, has seen to
			// everything downstream by then.
			if ok, err := in.items.Await(ctx); err == nil && !ok {
				point.At("pipeline: before a stage ends")
				to.end()
				return
			}
		}
		s.run.interrupted()
	}))
	return ctx, in
}

// A looper is an outlet that takes items from a hop itself, at less cost than
// by a call for each, until there are none just now or no more are wanted.
type looper[T any] interface {
	loop(in *hop[T]) error
}

// A refuser is an outlet that may return without having begun the item it was sent.
type refuser interface {
	refuses() bool
}

// takeAll is the loop of any other outlet.
func takeAll[T any](in *hop[T], to outlet[T]) error {
	for in.ctx.Err() == nil {
		v, ok := in.items.Next()
		if !ok {
			return nil
		}
		if err := in.deliver(v, to); err != nil {
			return err
		}
	}
	return context.Cause(in.ctx)
}

// deliver sends on v, which was taken from the hop.
func (h *hop[T]) deliver(v T, to outlet[T]) error {
	err := to.send(v)
	if err != nil {
		if r, ok := to.(refuser); ok && r.refuses() {
			h.giveBack(v)
		}
	}
	return err
}

// pass sends on the items of a hop, until that is at its end.
func pass[T any](ctx context.Context, from *hop[T], to outlet[T]) error {
	for {
		v, ok, err := from.items.Receive(ctx)
		if !ok || err != nil {
			return err
		}
		if err := from.deliver(v, to); err != nil {
			return err
		}
	}
}
