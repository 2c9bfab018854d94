package proofs_test

import (
	"math/big"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tandemgo/tandem/ratelimit"
)

// A window is the law of a limiter, word for word: no window of time may hold more
// than the burst and what the rate gives in it. It knows every grant and every
// promise there was, and nothing else.
type window struct {
	now    int64 // ns
	burst  int64
	rates  []rateSince
	claims []claim // by instant
}

type rateSince struct{ at, n, d int64 } // n permits in d ns

type claim struct {
	at int64
	n  *big.Rat
	id int
}

// gives returns how many permits the rates give from one instant to another.
func (w *window) gives(from, to int64) *big.Rat {
	sum := new(big.Rat)
	for i, r := range w.rates {
		end := to
		if i+1 < len(w.rates) {
			end = min(end, w.rates[i+1].at)
		}
		if span := end - max(from, r.at); span > 0 {
			sum.Add(sum, new(big.Rat).Mul(big.NewRat(r.n, r.d), new(big.Rat).SetInt64(span)))
		}
	}
	return sum
}

// most returns the most that any window which ends at an instant holds above what
// the rate gives in it.
func (w *window) most(at int64) *big.Rat {
	most, held := new(big.Rat), new(big.Rat)
	for _, c := range slices.Backward(w.claims) {
		if c.at > at {
			continue
		}
		held.Add(held, c.n)
		if over := new(big.Rat).Sub(held, w.gives(c.at, at)); over.Cmp(most) > 0 {
			most = over
		}
	}
	return most
}

// holds reports whether n permits can be granted at an instant: neither its
// windows nor those of promises behind it are then too full.
func (w *window) holds(n, at int64) bool {
	with := *w
	with.claims = slices.Clone(w.claims)
	with.add(n, at, 0)
	burst := new(big.Rat).SetInt64(w.burst)
	for _, c := range with.claims {
		if c.at >= at && with.most(c.at).Cmp(burst) > 0 {
			return false
		}
	}
	return true
}

func (w *window) add(n, at int64, id int) {
	i := 0
	for i < len(w.claims) && w.claims[i].at <= at {
		i++
	}
	w.claims = slices.Insert(w.claims, i, claim{at, new(big.Rat).SetInt64(n), id})
}

// fits is holds that does not look at the promises.
func (w *window) fits(n, at int64) bool {
	most := w.most(at)
	return most.Add(most, new(big.Rat).SetInt64(n)).Cmp(new(big.Rat).SetInt64(w.burst)) <= 0
}

// delay returns how long n permits take to come. Between two promises what is owed
// only falls, so the first instant that fits can be found by halves, and it is the
// one that leaves the most for the promises behind it.
func (w *window) delay(n int64) (time.Duration, bool) {
	if n > w.burst {
		return 0, false
	}
	stops := []int64{w.now}
	for _, c := range w.claims {
		if c.at > w.now {
			stops = append(stops, c.at)
		}
	}
	if rate := w.rates[len(w.rates)-1]; rate.n > 0 { // by then nothing is owed
		last := stops[len(stops)-1]
		owed, _ := w.most(last).Float64()
		stops = append(stops, last+(int64(owed)+2)*(rate.d/rate.n+1))
	}
	for i, from := range stops {
		lo, hi := from, from
		if i+1 < len(stops) {
			hi = max(from, stops[i+1]-1)
		}
		if !w.fits(n, hi) {
			continue
		}
		for lo < hi {
			if mid := lo + (hi-lo)/2; w.fits(n, mid) {
				hi = mid
			} else {
				lo = mid + 1
			}
		}
		if w.holds(n, hi) {
			return time.Duration(hi - w.now), true
		}
	}
	return 0, false
}

// setRate changes the rate. What is owed is rounded up to what the new one can be
// counted in.
func (w *window) setRate(n, d int64) {
	owed := w.most(w.now)
	unit := big.NewInt(d)
	if n > 0 {
		unit = big.NewRat(n, d).Denom()
	}
	units := new(big.Rat).Mul(owed, new(big.Rat).SetInt(unit))
	up := new(big.Int).Add(units.Num(), units.Denom())
	up.Sub(up, big.NewInt(1)).Quo(up, units.Denom())
	w.claims = slices.DeleteFunc(w.claims, func(c claim) bool { return c.at <= w.now })
	w.claims = slices.Insert(w.claims, 0, claim{w.now, new(big.Rat).SetFrac(up, unit), 0})
	w.rates = []rateSince{{w.now, n, d}}
}

func drawRate(r *rapid.T) (n, d int64) {
	n = rapid.Int64Range(0, 9).Draw(r, "permits")
	d = rapid.SampledFrom([]int64{1, 3, 7, 10, 64, 1000, 999_983, int64(time.Second)}).Draw(r, "in ns")
	return n, d
}

// R1, R2, R7: a limiter grants what no window forbids, and nothing else, to the
// nanosecond. What is reserved, settled and charged is compared in package ratelimit.
func TestLimiterMachine(t *testing.T) {
	inBubbles(t, func(r *rapid.T) {
		start := time.Now()
		n, d := drawRate(r)
		w := &window{burst: rapid.Int64Range(0, 6).Draw(r, "burst"), rates: []rateSince{{0, n, d}}}
		l := ratelimit.New(ratelimit.Per(int(n), time.Duration(d)), int(w.burst))
		count := func(r *rapid.T) int64 { return rapid.Int64Range(1, 7).Draw(r, "n") }
		r.Repeat(map[string]func(*rapid.T){
			"AllowN": func(r *rapid.T) {
				n := count(r)
				want := n <= w.burst && w.holds(n, w.now)
				if got := l.AllowN(int(n)); got != want {
					r.Fatalf("AllowN(%d): %v", n, got)
				}
				if want {
					w.add(n, w.now, 0)
				}
			},
			"Take": func(r *rapid.T) {
				n := count(r)
				delay, ok := w.delay(n)
				if !ok {
					delay = ratelimit.Never
				}
				got := l.Take(int(n))
				if got.OK != (delay == 0) || got.RetryAfter != delay || got.Limit != int(w.burst) {
					r.Fatalf("Take(%d): %+v, want it after %v", n, got, delay)
				}
				if got.OK {
					w.add(n, w.now, 0)
				}
				if left := int64(got.Remaining); left > 0 && !w.holds(left, w.now) || left < w.burst && w.holds(left+1, w.now) {
					r.Fatalf("Take(%d): remaining %d", n, left)
				}
			},
			"SetRate": func(r *rapid.T) {
				n, d := drawRate(r)
				l.SetRate(ratelimit.Per(int(n), time.Duration(d)))
				w.setRate(n, d)
			},
			"SetBurst": func(r *rapid.T) {
				w.burst = rapid.Int64Range(0, 6).Draw(r, "burst")
				l.SetBurst(int(w.burst))
			},
			"advance": func(r *rapid.T) {
				rate := w.rates[len(w.rates)-1]
				time.Sleep(time.Duration(rapid.Int64Range(1, 1+4*rate.d/max(1, rate.n)).Draw(r, "ns")))
				w.now = int64(time.Since(start))
			},
		})
	})
}
