// Package ctxselect holds the selects that every blocking call of Tandem ends
// in: a channel operation on one side, a context on the other.
//
// All of them prefer a context that has already ended, so that what is
// cancelled before a call starts never takes effect by chance, and all of
// them return [context.Cause], which says why and not only that.
package ctxselect

import (
	"context"
	"iter"
)

// Send sends v on ch, or returns the cause of ctx once it has ended. A nil
// error means that v was sent.
func Send[T any](ctx context.Context, ch chan<- T, v T) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case ch <- v: // alone, it costs a fraction of a select of two
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

// Recv receives from ch, or returns the cause of ctx once it has ended; ok is
// false when ch is closed or the context has ended.
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

// OrDone walks the values of ch until it is closed or ctx has ended. Which of
// the two it was, ctx tells.
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

// Drain receives and discards until ch is closed or ctx has ended, and
// returns the cause of ctx in the latter case.
func Drain[T any](ctx context.Context, ch <-chan T) error {
	for {
		_, ok, err := Recv(ctx, ch)
		if !ok {
			return err
		}
	}
}

// Signal sends on ch, a channel of capacity 1, if there is room: whoever parks on
// it looks again, and one signal that has not been received yet is as good as
// two.
func Signal(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Require panics when ctx is nil, as all of Tandem does at the call that is
// wrong; call names it, as in "pool: Submit".
func Require(ctx context.Context, call string) {
	if ctx == nil {
		panic(call + ": context must not be nil")
	}
}
