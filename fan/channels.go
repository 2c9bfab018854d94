package fan

import (
	"context"
	"hash/maphash"
	"iter"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/stage"
)

// A Result is how the work on one item ended.
type Result[T any] struct {
	Value T     // what the function returned
	Err   error // nil if it succeeded
}

// Out starts n workers that call fn with the items that they receive from in, and returns
// a channel of results for each of them. An item goes to a free worker; which one is left
// to chance. The error of a result is that of fn as it is, since an item of a channel has
// no index.
//
// The workers run until in is closed and everything has been received, or until ctx ends;
// then the channels are closed. A nil in is an input without items. Out panics if ctx or
// fn is nil or n is less than 1.
func Out[In, Out any](ctx context.Context, in <-chan In, n int, fn func(context.Context, In) (Out, error)) []<-chan Result[Out] {
	check(ctx, "fan: Out", n)
	misuse.Nil(fn == nil, "fan: Out: function")
	outs := make([]<-chan Result[Out], n)
	for i := range outs {
		out := make(chan Result[Out])
		outs[i] = out
		outcome.Spawn(func() {
			l := inherit(ctx)
			for v := range items(ctx, in) {
				l.set()
				outcome.Run(
					func() (Out, error) { return fn(ctx, v) },
					func(r Out, err error) { send(ctx, out, Result[Out]{r, err}) })
			}
		}, func() { closeAll(out) })
	}
	return outs
}

// In returns a channel of everything that is received from ins. Inputs that have items
// ready take turns: each has given one before another gives its second.
//
// A goroutine for each input runs until the input is closed or ctx ends; then the channel
// is closed. A nil channel among ins counts as closed. In panics if ctx is nil.
func In[T any](ctx context.Context, ins ...<-chan T) <-chan T {
	ctxselect.Require(ctx, "fan: In")
	out := make(chan T)
	g := stage.NewGroup()
	for _, in := range ins {
		g.Go(func() { forward(ctx, in, out) })
	}
	go func() {
		inherit(ctx)
		g.Wait()
		closeAll(out)
	}()
	return out
}

// Tee returns n channels each of which gives everything that is received from in. A
// branch is at most two items ahead of another: the slowest sets the pace.
//
// Its n+1 goroutines run until in is closed and everything has been received, or until
// ctx ends; then the channels are closed. A nil in is an input without items. Tee panics
// if ctx is nil or n is less than 1.
func Tee[T any](ctx context.Context, in <-chan T, n int) []<-chan T {
	check(ctx, "fan: Tee", n)
	outs := make([]<-chan T, n)
	// A branch has a box for the next item, so that one that is ready does not wait for one
	// that is not.
	boxes := make([]chan T, n)
	for i := range outs {
		box, out := make(chan T), make(chan T)
		outs[i], boxes[i] = out, box
		go func() {
			defer closeAll(out)
			forward(ctx, box, out)
		}()
	}
	go func() {
		inherit(ctx)
		defer closeAll(boxes...)
		for v := range items(ctx, in) {
			for _, box := range boxes {
				if !send(ctx, box, v) {
					return
				}
			}
		}
	}()
	return outs
}

// Partition returns n channels among which the items of in are divided by key: items with
// the same key come out of the same channel, in their order. Which one is different in
// each call. A channel that is not read holds the others up. A panic of key ends the
// program.
//
// Its goroutine runs until in is closed and everything has been received, or until ctx
// ends; then the channels are closed. A nil in is an input without items. Partition panics
// if ctx or key is nil or n is less than 1.
func Partition[K comparable, T any](ctx context.Context, in <-chan T, n int, key func(T) K) []<-chan T {
	check(ctx, "fan: Partition", n)
	misuse.Nil(key == nil, "fan: Partition: function")
	outs := make([]<-chan T, n)
	parts := make([]chan T, n)
	for i := range outs {
		parts[i] = make(chan T)
		outs[i] = parts[i]
	}
	go func() {
		l := inherit(ctx)
		defer closeAll(parts...)
		seed := maphash.MakeSeed()
		for v := range items(ctx, in) {
			l.set()
			if part := maphash.Comparable(seed, key(v)) % uint64(n); !send(ctx, parts[part], v) {
				return
			}
		}
	}()
	return outs
}

// forward sends what it receives until in is closed or ctx has ended.
func forward[T any](ctx context.Context, in <-chan T, out chan<- T) {
	inherit(ctx)
	for v := range items(ctx, in) {
		if !send(ctx, out, v) {
			return
		}
	}
}

// items returns what is received from ch until it is closed or ctx has ended, also at the
// same time as an item comes. A nil ch counts as closed.
func items[T any](ctx context.Context, ch <-chan T) iter.Seq[T] {
	return func(yield func(T) bool) {
		for ch != nil {
			sched.Opaque("fan receives")
			v, ok, _ := ctxselect.Recv(ctx, ch)
			if !ok || sched.Err(ctx) != nil || !yield(v) {
				return
			}
		}
	}
}

// send returns false if ctx has ended.
func send[T any](ctx context.Context, ch chan<- T, v T) bool {
	sched.Opaque("fan sends")
	return ctxselect.Send(ctx, ch, v) == nil
}

func closeAll[T any](chs ...chan T) {
	for _, ch := range chs {
		sched.Opaque("fan closes a channel")
		close(ch)
	}
}
