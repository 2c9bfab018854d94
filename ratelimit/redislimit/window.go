package redislimit

import (
	"math"
	"math/big"
	"math/bits"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

// An amount is a length of time, or an instant, in the unit of a window: whole
// ones, and parts of one.
type amount struct{ whole, part uint64 }

// A window is a rate and a burst, in numbers that a script can count with. Lua has
// doubles, in which whole numbers up to 2^53 are exact. So an instant is two of
// them: whole microseconds, and parts of one, as many as it takes for the interval
// between two permits to be a whole number of parts. No interval is rounded then,
// and the rest of a microsecond stays in the state.
//
// Extremes have other units. If the burst takes more than 71 years to come back, a
// whole is 2^shift microseconds, so that it fits; and if the parts of a whole were
// more than 2^52, it has 2^51 of them and the interval is rounded up, by less than
// one in 10^9 if there are fewer than 1e12 permits a second: the rate is never
// exceeded. Of a rate of 0 the clock stands still, and a part is a permit.
type window struct {
	burst    uint64
	still    bool   // the rate is 0
	shift    uint   // a whole is 2^shift microseconds
	den      uint64 // parts of a whole
	mul      uint64 // parts of a microsecond; 0 if a part is 2^(shift-51) of them
	step     amount // what one permit costs
	capacity amount // what the burst costs
}

const (
	exactBits  = 52 // parts of a whole may take that many bits
	coarseBits = 51
	stillShift = 60
)

func newWindow(rate ratelimit.Rate, burst uint64) window {
	w := window{burst: burst}
	permits, period := rate.Parts()
	if permits == 0 {
		w.still, w.shift, w.den, w.step = true, stillShift, 1<<coarseBits, amount{0, 1}
		w.capacity = w.cost(burst)
		return w
	}
	// One permit takes num/den microseconds.
	num := big.NewInt(int64(period))
	den := new(big.Int).Mul(big.NewInt(int64(permits)), big.NewInt(1000))
	g := new(big.Int).GCD(nil, nil, num, den)
	num.Quo(num, g)
	den.Quo(den, g)
	all := new(big.Int).Mul(num, new(big.Int).SetUint64(max(burst, 1)))
	all.Quo(all, den)
	w.shift = uint(max(0, all.BitLen()-coarseBits))
	den.Lsh(den, w.shift)
	if den.BitLen() <= exactBits {
		w.den = den.Uint64()
		w.mul = w.den >> w.shift
	} else {
		num.Lsh(num, coarseBits)
		num.Add(num, den).Sub(num, big.NewInt(1)).Quo(num, den) // rounded up
		w.den = 1 << coarseBits
		if w.shift <= coarseBits {
			w.mul = 1 << (coarseBits - w.shift)
		}
	}
	whole, part := num.QuoRem(num, new(big.Int).SetUint64(w.den), new(big.Int))
	w.step = amount{whole.Uint64(), part.Uint64()}
	w.capacity = w.cost(burst)
	return w
}

// cost returns the cost of n permits. n is at most the burst.
func (w *window) cost(n uint64) amount {
	hi, lo := bits.Mul64(n, w.step.part)
	q, r := bits.Div64(hi, lo, w.den)
	return amount{n*w.step.whole + q, r}
}

// instant returns an instant, which is given in microseconds.
func (w *window) instant(us uint64) amount {
	switch {
	case w.still:
		return amount{}
	case w.mul == 0:
		return amount{us >> w.shift, us & (1<<w.shift - 1) >> (w.shift - coarseBits)}
	}
	return amount{us >> w.shift, us & (1<<w.shift - 1) * w.mul}
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

// number returns an amount in units, rounded.
func (w *window) number(a amount) float64 { return float64(a.whole) + float64(a.part)/float64(w.den) }

// repaid returns how long it takes until so much is repaid, in whole microseconds,
// as those of the clock are.
func (w *window) repaid(a amount) time.Duration {
	const most = math.MaxInt64 / 1000
	switch {
	case a == amount{}:
		return 0
	case w.still || a.whole > most>>w.shift:
		return ratelimit.Never
	}
	us := a.whole << w.shift
	if w.mul == 0 {
		if shift := w.shift - coarseBits; a.part > most>>shift {
			return ratelimit.Never
		}
		us += a.part << (w.shift - coarseBits)
	} else if a.part > 0 {
		us += (a.part-1)/w.mul + 1
	}
	if us > most {
		return ratelimit.Never
	}
	return time.Duration(us) * time.Microsecond
}
