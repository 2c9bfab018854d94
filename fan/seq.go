package fan

import (
	"context"
	"iter"

	"github.com/tandemgo/tandem/internal/link"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/outcome"
)

// Seq walks the results of calling fn for each item of in, on n goroutines. Each
// result has its own error: one that fails does not end the walk, leaving it
// does. Results come in the order of the input, or with Unordered as they are
// ready. Workers stay busy behind a slow item: 2n items, at least 16, may be in
// work or have results that wait, and 16 more may wait for a worker; both are
// more while items take no longer than a few microseconds, up to 1,024.
//
// Nothing is started before the walk, and the loop body runs on the goroutine
// that walks. The source runs on a goroutine of its own; if it panics or calls
// runtime.Goexit, that is the error of one last pair with a zero value. When
// ctx ends, the last pair is a zero value and the cause of ctx. However the
// walk ends, the context of the calls ends with it, and it returns when all
// goroutines have ended. A source that blocks cannot be interrupted. Seq
// panics if ctx, in or fn is nil or n is less than 1.
func Seq[In, Out any](ctx context.Context, n int, in iter.Seq[In], fn func(context.Context, In) (Out, error), opts ...Option) iter.Seq2[Out, error] {
	check(ctx, "fan: Seq", n)
	misuse.Nil(fn == nil, "fan: Seq: function")
	misuse.Nil(in == nil, "fan: Seq: input")
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	return func(yield func(Out, error) bool) {
		w := newWalk[Out](ctx, n)
		defer w.leave()
		items := link.Adaptive[In](link.Base)
		startHands(ctx, w.ctx, &w.wg, n, !o.unordered, items, w.results, fn, nil)
		source(w, in, func(v In) error { return items.Send(w.ctx, v) }, items.Close)
		w.yield(yield)
	}
}

// ByKey walks the results of calling fn for each item of in, on n goroutines.
// Items with the same key are worked on one after the other, in their order,
// and their results come in that order; those of different keys come as they
// are ready. Keys are hashed to n lanes, each with a goroutine of its own: an
// item may wait for one with another key in the same lane. Otherwise it is like
// [Seq]: each item has its own error, and the walk may be left. A panic of key
// is the error of the last pair.
func ByKey[K comparable, In, Out any](ctx context.Context, n int, in iter.Seq[In], key func(In) K, fn func(context.Context, In) (Out, error)) iter.Seq2[Out, error] {
	check(ctx, "fan: ByKey", n)
	misuse.Nil(key == nil || fn == nil, "fan: ByKey: function")
	misuse.Nil(in == nil, "fan: ByKey: input")
	return func(yield func(Out, error) bool) {
		w := newWalk[Out](ctx, n)
		defer w.leave()
		out := &merged[Out]{gate: link.NewGate(), results: w.results, left: n}
		queues := make([]*link.Link[In], n)
		for i := range queues {
			// With some room, so that one busy lane does not hold up the rest.
			queues[i] = link.Adaptive[In](link.Base)
			l := &laneHand[In, Out]{caller: ctx, ctx: w.ctx, labels: w.labels, fn: fn, in: queues[i], out: out}
			w.wg.Add(1)
			outcome.Spawn(l.loop, w.wg.Done)
		}
		lane := lanes[K](n)
		source(w, in, func(v In) error { return queues[lane(key(v))].Send(w.ctx, v) }, func() {
			for _, q := range queues {
				q.Close()
			}
		})
		w.yield(yield)
	}
}

// A laneHand works on the items of one lane of ByKey.
type laneHand[In, Out any] struct {
	caller context.Context // of the walk
	ctx    context.Context // of the functions
	labels labels
	fn     func(context.Context, In) (Out, error)
	in     *link.Link[In]
	out    *merged[Out]
}

func (l *laneHand[In, Out]) loop() {
	exited := func() {
		var none Out
		l.out.send(l.ctx, Result[Out]{none, ErrGoexit})
	}
	for {
		item, ok, err := l.in.Receive(l.ctx)
		if err != nil || ended(l.caller, l.ctx) != nil {
			return
		}
		if !ok {
			l.out.end(l.ctx)
			return
		}
		l.labels.set()
		v, err := outcome.Call(l.ctx, l.fn, item, exited)
		l.out.send(l.ctx, Result[Out]{v, err})
	}
}

// merged is the sending end of the results, for all lanes.
type merged[Out any] struct {
	gate    *link.Gate
	results *link.Link[Result[Out]]
	left    int // lanes that have not ended; guarded by the gate
}

// send sends r, if the walk has not ended.
func (m *merged[Out]) send(ctx context.Context, r Result[Out]) {
	if m.gate.Enter(ctx) == nil {
		_ = m.results.Send(ctx, r)
		m.gate.Leave()
	}
}

func (m *merged[Out]) end(ctx context.Context) {
	if m.gate.Enter(ctx) != nil {
		return
	}
	if m.left--; m.left == 0 {
		m.results.Close()
	}
	m.gate.Leave()
}
