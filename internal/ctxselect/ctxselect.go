// Package ctxselect provides the selects in which every blocking call of Tandem ends: a
// channel operation or the end of a context.
//
// All of them prefer a context that has already ended, so a call under such a context
// never takes effect by chance, and all of them return [context.Cause].
package ctxselect

import (
	"context"
	"iter"
)

// Send sends v on ch, or returns the cause of ctx once ctx has ended. A nil error means
// that v was sent.
func Send[T any](ctx context.Context, ch chan<- T, v T) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case ch <- v: // a select with one case costs a fraction of one with two
		return nil
	default:
	}
	select {
	case ch <- v:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Recv receives from ch, or returns the cause of ctx once ctx has ended; ok is false if
// ch is closed or ctx has ended.
func Recv[T any](ctx context.Context, ch <-chan T) (v T, ok bool, err error) {
	if ctx.Err() != nil {
		return v, false, context.Cause(ctx)
	}
	select {
	case v, ok = <-ch:
		return v, ok, nil
	default:
	}
	select {
	case v, ok = <-ch:
		return v, ok, nil
	case <-ctx.Done():
		return v, false, context.Cause(ctx)
	}
}

// OrDone returns an iterator over the values of ch that stops when ch is closed or ctx
// has ended. The caller can tell the two cases apart by ctx.
func OrDone[T any](ctx context.Context, ch <-chan T) iter.Seq[T] {
	return func(yield func(T) bool) {
		for {
			v, ok, _ := Recv(ctx, ch)
			if !ok || !yield(v) {
				return
			}
		}
	}
}

// Drain receives and discards values until ch is closed or ctx has ended. In the latter
// case it returns the cause of ctx.
func Drain[T any](ctx context.Context, ch <-chan T) error {
	for {
		_, ok, err := Recv(ctx, ch)
		if !ok {
			return err
		}
	}
}

// Signal sends on ch, a channel of capacity 1, if it has room. The goroutine that parks
// on ch then checks its condition again. A second signal before that has no effect.
func Signal(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Require panics if ctx is nil. call names the call for the text, for example "pool:
// Submit".
func Require(ctx context.Context, call string) {
	if ctx == nil {
		panic(call + ": context must not be nil")
	}
}
