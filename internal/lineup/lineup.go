// Package lineup tells a caller that what it calls has got a place in a line, and
// goes on to wait there. The caller can then let the next one call.
package lineup

import "context"

type key struct{}

// With returns a context with which a call that has got a place calls placed, on its
// own goroutine and with no lock held. A call that need not wait does not.
func With(ctx context.Context, placed func()) context.Context {
	return context.WithValue(ctx, key{}, placed)
}

// Placed is called with the context of a call that has got a place.
func Placed(ctx context.Context) {
	if placed, ok := ctx.Value(key{}).(func()); ok {
		placed()
	}
}
