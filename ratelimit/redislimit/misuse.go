package redislimit

import (
	"context"
	"fmt"
)

// require panics if l was not made by a constructor.
func (l *Limiter[K]) require(call string) {
	if l.client == nil {
		panic("redislimit: " + call + ": the zero Limiter is not usable, make one with New or NewFunc")
	}
}

// begin is the beginning of a call.
func (l *Limiter[K]) begin(ctx context.Context, call string, n, least int) error {
	l.require(call)
	return enter(ctx, call, n, least)
}

// enter panics if ctx is nil or n is less than least. It returns the cause of ctx if that
// has ended.
func enter(ctx context.Context, call string, n, least int) error {
	if ctx == nil {
		panic("redislimit: " + call + ": context must not be nil")
	}
	if n < least {
		atLeast(n, least, call+": number")
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// atLeast panics if n is less than least.
func atLeast[N ~int | ~int64](n, least N, what string) {
	switch {
	case n >= least:
	case least == 0:
		panic(fmt.Sprintf("redislimit: %s must not be negative, got %v", what, n))
	default:
		panic(fmt.Sprintf("redislimit: %s must be at least %v, got %v", what, least, n))
	}
}
