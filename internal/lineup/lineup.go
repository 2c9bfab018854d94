// Package lineup tells a caller that its call has a place in a queue and goes on to
// wait there. The caller can then let the next call start.
package lineup

import "context"

type key struct{}

// With returns a context with which a call that has got a place in a queue calls
// placed, on its own goroutine and without holding a lock. A call that need not wait
// does not call placed.
func With(ctx context.Context, placed func()) context.Context {
	return context.WithValue(ctx, key{}, placed)
}

// Placed is called with the context of a call that has got a place in a queue.
func Placed(ctx context.Context) {
	if placed, ok := ctx.Value(key{}).(func()); ok {
		placed()
	}
}
