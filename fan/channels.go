package fan

import (
	"context"
	"hash/maphash"
	"sync"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/point"
)

// Out starts n workers that call fn with what they receive from in, and
// returns a channel of results for each of them. An item goes to a worker that
// is free; which one is left to chance. The channels are closed when in is
// closed and everything has been received, or when ctx ends. A nil in is an
// input without items. Out panics if ctx or fn is nil or n is less than 1.
func Out[In, Out any](ctx context.Context, in <-chan In, n int, fn func(context.Context, In) (Out, error)) []<-chan Result[Out] {
	check(ctx, "fan: Out", n)
	misuse.Nil(fn == nil, "fan: Out: function")
	l := labelsOf(ctx)
	outs := make([]<-chan Result[Out], n)
	for i := range outs {
		out := make(chan Result[Out])
		outs[i] = out
		if in == nil {
			close(out)
			continue
		}
		outcome.Spawn(func() {
			for v := range ctxselect.OrDone(ctx, in) {
				if ctx.Err() != nil { // since it was received
					return
				}
				l.set()
				outcome.Run(
					func() (Out, error) { return fn(ctx, v) },
					func(r Out, err error) {
						point.At("fan: before it sends")
						// If this fails, so does the next receive.
						_ = ctxselect.Send(ctx, out, Result[Out]{r, err})
					})
			}
		}, func() { close(out) })
	}
	return outs
}

// In returns a channel of everything that is received from ins. It is closed
// when all of them are closed, or ctx ends. A nil channel among them counts as
// closed. In panics if ctx is nil.
func In[T any](ctx context.Context, ins ...<-chan T) <-chan T {
	ctxselect.Require(ctx, "fan: In")
	out := make(chan T)
	l := labelsOf(ctx)
	var wg sync.WaitGroup
	for _, in := range ins {
		if in != nil {
			wg.Go(func() { l.set(); forward(ctx, in, out) })
		}
	}
	go func() {
		wg.Wait()
		point.At("fan: before it closes")
		close(out)
	}()
	return out
}

// Tee returns n channels each of which gives everything that is received from
// in. They are closed when in is closed and everything has been received, or
// when ctx ends. A branch is at most two items ahead of another: the slowest
// sets the pace. A nil in is an input without items. Tee panics if ctx is nil
// or n is less than 1.
func Tee[T any](ctx context.Context, in <-chan T, n int) []<-chan T {
	check(ctx, "fan: Tee", n)
	l := labelsOf(ctx)
	outs := make([]<-chan T, n)
	// A branch has a box for the next item, so that one that is ready does not
	// wait for one that is not.
	boxes := make([]chan T, n)
	for i := range outs {
		out := make(chan T)
		outs[i], boxes[i] = out, make(chan T)
		go func() {
			defer close(out)
			l.set()
			forward(ctx, boxes[i], out)
		}()
	}
	go func() {
		l.set()
		defer func() {
			for _, box := range boxes {
				close(box)
			}
		}()
		if in == nil {
			return
		}
		for v := range ctxselect.OrDone(ctx, in) {
			for _, box := range boxes {
				point.At("fan: before it fills a box")
				if ctxselect.Send(ctx, box, v) != nil {
					return
				}
			}
		}
	}()
	return outs
}

// Partition returns n channels among which the items of in are divided by key:
// items with the same key come out of the same channel, in their order. Which
// one is different in each call. The channels are closed when in is closed and
// everything has been received, or when ctx ends. A channel that nobody reads
// holds the others up. A panic of key ends the program. A nil in is an input
// without items. Partition panics if ctx or key is nil or n is less than 1.
func Partition[K comparable, T any](ctx context.Context, in <-chan T, n int, key func(T) K) []<-chan T {
	check(ctx, "fan: Partition", n)
	misuse.Nil(key == nil, "fan: Partition: function")
	outs := make([]<-chan T, n)
	sends := make([]chan T, n)
	for i := range outs {
		sends[i] = make(chan T)
		outs[i] = sends[i]
	}
	lane, l := lanes[K](n), labelsOf(ctx)
	go func() {
		l.set()
		defer func() {
			for _, ch := range sends {
				close(ch)
			}
		}()
		if in == nil {
			return
		}
		for v := range ctxselect.OrDone(ctx, in) {
			if ctx.Err() != nil { // since it was received
				return
			}
			k := key(v)
			point.At("fan: before it sends")
			if ctxselect.Send(ctx, sends[lane(k)], v) != nil {
				return
			}
		}
	}()
	return outs
}

// lanes returns a function that maps keys to 0 … n-1.
func lanes[K comparable](n int) func(K) int {
	seed := maphash.MakeSeed()
	return func(k K) int { return int(maphash.Comparable(seed, k) % uint64(n)) }
}

// forward sends what it receives until in is closed or ctx has ended.
func forward[T any](ctx context.Context, in <-chan T, out chan<- T) {
	for v := range ctxselect.OrDone(ctx, in) {
		point.At("fan: before it sends")
		if ctxselect.Send(ctx, out, v) != nil {
			return
		}
	}
}
