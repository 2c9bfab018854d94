// Package misuse panics on misuse, with the same text in all packages: "package: Call:
// condition, got v". Each function is named after the mistake; its last argument is the
// start of the text, for example "pool: Resize: workers".
//
// For a nil context use [ctxselect.Require], which costs only a comparison.
package misuse

import (
	"fmt"
	"time"
)

// Nil panics if is is true, which means that a required argument is nil.
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

// Negative panics if v is negative.
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

// Zero panics if is is true, which means that a value was not made by its constructor. The
// text says that the type must be made with the functions in with.
func Zero(is bool, call, typ, with string) {
	if is {
		panic(call + ": the zero " + typ + " is not usable, make one with " + with)
	}
}
