package redislimit

import (
	"math"
	"math/big"
	"math/bits"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

// An amount is a length of time, or an instant: whole microseconds, and parts of one.
type amount struct{ whole, part uint64 }

// A window is a rate and a burst, in numbers that a script can count with. Lua has
// doubles, in which whole numbers up to 2^53 are exact. So an instant is two of
// them: whole microseconds, and parts of one, as many as it takes for the interval
// between two permits to be a whole number of parts. No interval is rounded then,
// and the rest of a microsecond stays in the state. A burst that package ratelimit
// accepts takes at most 36 years to come back, which is less than 2^51 microseconds.
//
// If the parts of a microsecond were more than 2^52, it has 2^51 of them and the interval
// is rounded up, by less than one in 10^9 if there are fewer than 1e12 permits a second:
// the rate is never exceeded. Of a rate of 0 the clock stands still, and a part is a
// permit.
type window struct {
	burst    uint64
	still    bool   // the rate is 0
	den      uint64 // parts of a microsecond
	step     amount // what one permit costs
	capacity amount // what the burst costs
}

const (
	exactBits  = 52 // parts of a microsecond may take that many bits
	coarseBits = 51
)

func newWindow(rate ratelimit.Rate, burst uint64) window {
	permits, period := rate.Parts()
	w := window{burst: burst, still: permits == 0, den: 1 << coarseBits, step: amount{0, 1}}
	if !w.still {
		// One permit takes num/den microseconds.
		num, den := big.NewInt(int64(period)), big.NewInt(int64(permits))
		den.Mul(den, big.NewInt(1000))
		g := new(big.Int).GCD(nil, nil, num, den)
		num.Quo(num, g)
		if den.Quo(den, g); den.BitLen() > exactBits {
			num.Lsh(num, coarseBits)
			num.Add(num, den).Sub(num, big.NewInt(1)).Quo(num, den) // rounded up
			den.Lsh(big.NewInt(1), coarseBits)
		}
		w.den = den.Uint64()
		whole, part := num.QuoRem(num, den, new(big.Int))
		w.step = amount{whole.Uint64(), part.Uint64()}
	}
	w.capacity = w.cost(burst)
	return w
}

// cost returns the cost of n permits. n is at most the burst.
func (w *window) cost(n uint64) amount {
	hi, lo := bits.Mul64(n, w.step.part)
	q, r := bits.Div64(hi, lo, w.den)
	return amount{n*w.step.whole + q, r}
}

// after returns what is left of a debt after so many microseconds.
func (w *window) after(debt amount, us uint64) amount {
	if w.still {
		return debt
	}
	return w.sub(debt, amount{us, 0})
}

func (w *window) add(a, b amount) amount {
	s := amount{a.whole + b.whole, a.part + b.part}
	if s.part >= w.den {
		s.whole, s.part = s.whole+1, s.part-w.den
	}
	return s
}

// sub returns a - b, or 0 if that is negative.
func (w *window) sub(a, b amount) amount {
	if a.less(b) {
		return amount{}
	}
	if a.part < b.part {
		a.whole, a.part = a.whole-1, a.part+w.den
	}
	return amount{a.whole - b.whole, a.part - b.part}
}

func (a amount) less(b amount) bool {
	return a.whole < b.whole || a.whole == b.whole && a.part < b.part
}

// fits reports whether n permits can be granted when so much is owed.
func (w *window) fits(debt amount, n uint64) bool {
	return n <= w.burst && !w.capacity.less(w.add(debt, w.cost(n)))
}

// delay returns how long n permits take to come when so much is owed.
func (w *window) delay(debt amount, n uint64) time.Duration {
	if n > w.burst {
		return ratelimit.Never
	}
	return w.late(w.add(debt, w.cost(n)))
}

// late returns how long it takes until no more than the burst is owed.
func (w *window) late(debt amount) time.Duration { return w.repaid(w.sub(debt, w.capacity)) }

// remaining returns how many permits can be granted when so much is owed.
func (w *window) remaining(debt amount) uint64 {
	free := w.sub(w.capacity, debt)
	n := uint64(w.number(free) / w.number(w.step)) // or a few more or fewer
	for free.less(w.cost(n)) {
		n--
	}
	for !free.less(w.cost(n + 1)) {
		n++
	}
	return n
}

// number returns an amount in microseconds, rounded.
func (w *window) number(a amount) float64 { return float64(a.whole) + float64(a.part)/float64(w.den) }

// repaid returns how long it takes until so much is repaid, in whole microseconds,
// as those of the clock are.
func (w *window) repaid(a amount) time.Duration {
	us := a.whole + min(a.part, 1)
	switch {
	case us == 0:
		return 0
	case w.still || us > math.MaxInt64/1000:
		return ratelimit.Never
	}
	return time.Duration(us) * time.Microsecond
}
