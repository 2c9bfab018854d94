// Package misuse panics when a call is wrong, in the same words in all packages:
// "package: Call: what must hold, got v". Each function is named for what is
// wrong, and is given who says so, as in "pool: Resize: workers".
//
// A context that is nil is for [ctxselect.Require], which costs a comparison where
// a call is made often.
package misuse

import (
	"fmt"
	"time"
)

// Nil panics if what a call needs is nil.
func Nil(is bool, what string) {
	if is {
		panic(what + " must not be nil")
	}
}

// Below panics if n is less than least.
func Below(n, least int, what string) {
	if n < least {
		panic(fmt.Sprintf("%s must be at least %d, got %d", what, least, n))
	}
}

// Negative panics if v is.
func Negative[N int | time.Duration](v N, what string) {
	if v < 0 {
		panic(fmt.Sprintf("%s must not be negative, got %v", what, v))
	}
}

// NotPositive panics if d is zero or less.
func NotPositive(d time.Duration, what string) {
	if d <= 0 {
		panic(fmt.Sprintf("%s must be positive, got %v", what, d))
	}
}

// Untyped returns what an option carries, nil if it was not given, and panics if
// that is not an F. Options have no type parameters of their own, so it is when
// they are used that the compiler can't help any more.
func Untyped[F any](carried any, what string) F {
	v, ok := carried.(F)
	if carried != nil && !ok {
		panic(fmt.Sprintf("%s must have a %T, got a %T", what, v, carried))
	}
	return v
}
