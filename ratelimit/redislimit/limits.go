package redislimit

import (
	"encoding/binary"
	"math"
	"math/big"
	"slices"
	"time"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/ratelimit"
)

// A limit is what the user says of a window.
type limit struct {
	rate  ratelimit.Rate
	burst int
}

func (x limit) check(call string) {
	if x.rate == (ratelimit.Rate{}) {
		panic("redislimit: " + call + ": the zero Rate is not usable, make one with ratelimit.Per or ratelimit.Every")
	}
	misuse.Negative(x.burst, "redislimit: "+call+": burst")
}

// limits are the windows of a key: all of them grant, or none does. They do not
// change.
type limits struct {
	own     limit // the first window
	windows []window
	burst   uint64 // the least of those that are not unlimited
	free    bool   // all are unlimited
	ids     string // what the script knows the windows by
	args    []any  // of a script that asks for one permit
	local   *limits
}

// newLimits returns the windows of a key; the first is its own, the others are of
// all keys. One of replicas processes gets its share of them when it is on its own.
func newLimits(own limit, others []limit, replicas int) *limits {
	p := &limits{own: own, burst: math.MaxUint64, free: true}
	p.local = &limits{own: own, burst: math.MaxUint64, free: true}
	for _, x := range append([]limit{own}, others...) {
		w := newWindow(x.rate, uint64(x.burst), 1)
		if slices.Contains(p.windows, w) {
			continue
		}
		share := x.burst / replicas
		if x.burst%replicas > 0 {
			share++
		}
		p.addWindow(w)
		p.local.addWindow(newWindow(x.rate, uint64(share), replicas))
	}
	var ids []byte
	for i := range p.windows {
		if w := &p.windows[i]; !w.unlimited {
			ids = w.step.doubles(doubles(ids, w.unit(), float64(w.den)))
			ids = w.capacity.doubles(ids)
		}
	}
	p.ids = string(ids)
	p.args = p.request(claim{n: 1}, 0)
	return p
}

func (p *limits) addWindow(w window) {
	p.windows = append(p.windows, w)
	if !w.unlimited {
		p.free = false
		p.burst = min(p.burst, w.burst)
	}
}

// A claim is what a caller asks for: n permits, now or within the time that it can wait.
type claim struct {
	n      uint64
	wait   time.Duration
	beyond bool // more than the burst, too
}

// request returns the arguments of the script for a claim, and more permits if it can.
func (p *limits) request(c claim, more uint64) []any {
	if c.n == 1 && c.wait <= 0 && more == 0 && p.args != nil {
		return p.args
	}
	need := doubles(make([]byte, 0, 8+16*len(p.windows)), float64(c.n))
	for i := range p.windows {
		w := &p.windows[i]
		if w.unlimited {
			continue
		}
		cost := amount{w.capacity.whole + 1, 0} // never
		if c.n <= w.burst || c.beyond {
			cost = w.cost(c.n)
		}
		need = cost.doubles(need)
	}
	if c.wait <= 0 && more == 0 {
		return []any{p.ids, string(need)}
	}
	wait := float64(max(c.wait, 0) / time.Microsecond)
	return []any{p.ids, string(need), string(doubles(nil, wait, float64(more)))}
}

// A ticket is permits that were granted for later, as the script has left them.
type ticket struct {
	key   string
	p     *limits
	n     uint64
	debts []amount
	value string
}

// back returns the arguments of the script that gives permits back: what is at the key if
// nobody has come since, and then is to be, and how many milliseconds sooner that expires.
func (x *ticket) back() []any {
	value, at, sooner := []byte(x.value), 4, math.Inf(1)
	for i := range x.p.windows {
		w := &x.p.windows[i]
		if w.unlimited {
			continue
		}
		whole, part := value[at+8:at+16], value[at+16:at+24]
		cost := w.cost(x.n)
		left := w.sub(amount{uint64(double(whole)), uint64(double(part))}, cost)
		binary.LittleEndian.PutUint64(whole, math.Float64bits(float64(left.whole)))
		binary.LittleEndian.PutUint64(part, math.Float64bits(float64(left.part)))
		sooner = min(sooner, math.Floor(math.Ldexp(float64(cost.whole), int(w.shift))/1000))
		at += windowSize
	}
	if at < len(value) { // windows of others still owe what they did
		sooner = 0
	}
	return []any{x.value, string(value), sooner}
}

// windowSize is how many bytes of a value are of one window.
const windowSize = 9 * 8

func double(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) }

// doubles appends numbers as Lua reads them.
func doubles(b []byte, numbers ...float64) []byte {
	for _, x := range numbers {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	}
	return b
}

func (a amount) doubles(b []byte) []byte { return doubles(b, float64(a.whole), float64(a.part)) }

// unit returns how many microseconds a whole is, a power of two, or 0 if the clock
// stands still.
func (w *window) unit() float64 {
	if w.still {
		return 0
	}
	return math.Ldexp(1, int(w.shift))
}

// fits reports whether n permits can be granted if debts was owed so many
// microseconds ago.
func (p *limits) fits(debts []amount, ago, n uint64) bool {
	for i := range p.windows {
		w := &p.windows[i]
		if !w.fits(w.sub(debts[i], w.instant(ago)), n) {
			return false
		}
	}
	return true
}

// decision says what it means that debts was owed so many microseconds ago, after n
// permits were granted or denied: the Limit and Remaining of the window with the
// least remaining, and the delays of all together.
func (p *limits) decision(ok bool, debts []amount, ago, n uint64) ratelimit.Decision {
	d := ratelimit.Decision{OK: ok}
	for i := range p.windows {
		w := &p.windows[i]
		debt := w.sub(debts[i], w.instant(ago))
		if left := int(w.remaining(debt)); i == 0 || left < d.Remaining {
			d.Limit, d.Remaining = int(w.burst), left
		}
		d.ResetAfter = max(d.ResetAfter, w.repaid(debt))
		if !ok {
			d.RetryAfter = max(d.RetryAfter, w.delay(debt, n))
		}
	}
	if !ok {
		// The permits may have come back while Redis answered.
		d.RetryAfter = max(d.RetryAfter, time.Microsecond)
	}
	return d
}

// delay returns how long n permits take to come when so much is owed.
func (w *window) delay(debt amount, n uint64) time.Duration {
	switch {
	case w.unlimited:
		return 0
	case n > w.burst:
		return ratelimit.Never
	}
	return w.repaid(w.sub(w.add(debt, w.cost(n)), w.capacity))
}

// late returns how long it takes until no more than the burst is owed.
func (p *limits) late(debts []amount) (d time.Duration) {
	for i := range p.windows {
		if w := &p.windows[i]; !w.unlimited {
			d = max(d, w.repaid(w.sub(debts[i], w.capacity)))
		}
	}
	return d
}

// take is the script, on a state that is in this process: theoretical arrival times,
// at an instant in microseconds. It changes nothing if it denies.
func (p *limits) take(tats []amount, us uint64, c claim) (debts []amount, ok bool) {
	debts, ok = make([]amount, len(tats)), true
	after := make([]amount, len(tats))
	for i := range p.windows {
		w := &p.windows[i]
		if w.unlimited {
			continue
		}
		debts[i] = w.sub(tats[i], w.instant(us))
		if ok = ok && c.n <= w.burst; ok {
			after[i] = w.add(debts[i], w.cost(c.n))
		}
	}
	if d := p.late(after); !ok || d == ratelimit.Never || d > max(c.wait, 0) {
		return debts, false
	}
	for i := range p.windows {
		w := &p.windows[i]
		tats[i] = w.add(w.instant(us), after[i])
	}
	return after, true
}

// charge makes n permits owed that were granted elsewhere, as far as the burst goes.
func (p *limits) charge(tats []amount, us, n uint64) {
	for i := range p.windows {
		w := &p.windows[i]
		if w.unlimited {
			continue
		}
		now := w.instant(us)
		if tats[i].less(now) {
			tats[i] = now
		}
		most := w.add(now, w.capacity)
		if tats[i].less(most) {
			tats[i] = w.add(tats[i], w.cost(min(n, w.burst)))
			if most.less(tats[i]) {
				tats[i] = most
			}
		}
	}
}

// inherit returns the arrival times of limits that take the place of others: as many
// permits are owed as before.
func (p *limits) inherit(old *limits, tats []amount, us uint64) []amount {
	is := make([]amount, len(p.windows))
	for i := range p.windows {
		w := &p.windows[i]
		j := max(0, slices.Index(old.windows, *w)) // the first window is the one that changes
		if from := &old.windows[j]; !w.unlimited && !from.unlimited {
			is[i] = w.add(w.instant(us), from.worth(from.sub(tats[j], from.instant(us)), w))
		}
	}
	return is
}

// worth returns what is owed in the other window where as many permits are owed, rounded
// up.
func (w *window) worth(debt amount, other *window) amount {
	if *w == *other {
		return debt
	}
	x := w.parts(debt)
	x.Mul(x, other.parts(other.step))
	step := w.parts(w.step)
	x.Add(x, step).Sub(x, big.NewInt(1)).Quo(x, step)
	whole, part := x.QuoRem(x, new(big.Int).SetUint64(other.den), new(big.Int))
	if whole.BitLen() > exactBits {
		return amount{1 << exactBits, 0}
	}
	return amount{whole.Uint64(), part.Uint64()}
}

// idle reports whether nothing is owed.
func (p *limits) idle(tats []amount, us uint64) bool {
	for i := range p.windows {
		if w := &p.windows[i]; !w.unlimited && w.instant(us).less(tats[i]) {
			return false
		}
	}
	return true
}
