package ratelimit

import (
	"math"
	"math/bits"
)

// A u128 is an unsigned integer of 128 bits. The product of two durations, or
// of a duration and a number of permits, always fits, and so do sums of three
// such products. Beyond that sums stay at the largest number.
type u128 struct{ hi, lo uint64 }

func mul(a, b uint64) u128 {
	hi, lo := bits.Mul64(a, b)
	return u128{hi, lo}
}

func (x u128) add(y u128) u128 {
	lo, carry := bits.Add64(x.lo, y.lo, 0)
	hi, over := bits.Add64(x.hi, y.hi, carry)
	if over != 0 {
		return u128{math.MaxUint64, math.MaxUint64}
	}
	return u128{hi, lo}
}

// sub returns x - y, or 0 if that is negative.
func (x u128) sub(y u128) u128 {
	if x.less(y) {
		return u128{}
	}
	lo, borrow := bits.Sub64(x.lo, y.lo, 0)
	hi, _ := bits.Sub64(x.hi, y.hi, borrow)
	return u128{hi, lo}
}

func (x u128) less(y u128) bool { return x.hi < y.hi || x.hi == y.hi && x.lo < y.lo }

// least returns the smaller of x and y.
func (x u128) least(y u128) u128 {
	if y.less(x) {
		return y
	}
	return x
}

func (x u128) zero() bool { return x == u128{} }

// div returns ⌊x/d⌋ and whether there is a remainder; ok is false if d is 0 or
// the quotient does not fit.
func (x u128) div(d uint64) (q uint64, rest, ok bool) {
	if x.hi >= d {
		return 0, false, false
	}
	q, r := bits.Div64(x.hi, x.lo, d)
	return q, r != 0, true
}
