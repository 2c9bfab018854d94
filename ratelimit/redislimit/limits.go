package redislimit

import (
	"encoding/binary"
	"math"
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
	windows []window
	burst   uint64 // the least of those that are not unlimited
	free    bool   // all are unlimited
	args    []any  // of a script that asks for one permit
	local   *limits
}

// newLimits returns the windows of a key; the first is its own, the others are of
// all keys. One of replicas processes gets its share of them when it is on its own.
func newLimits(own limit, others []limit, replicas int) *limits {
	p, local := &limits{burst: math.MaxUint64, free: true}, &limits{burst: math.MaxUint64, free: true}
	for _, x := range append([]limit{own}, others...) {
		share := x.burst / replicas
		if x.burst%replicas > 0 {
			share++
		}
		p.addWindow(newWindow(x.rate, uint64(x.burst), 1))
		local.addWindow(newWindow(x.rate, uint64(share), replicas))
	}
	p.args = p.request(1, 0)
	p.local = local
	return p
}

func (p *limits) addWindow(w window) {
	p.windows = append(p.windows, w)
	if !w.unlimited {
		p.free = false
		p.burst = min(p.burst, w.burst)
	}
}

// request returns the arguments of the script for n permits, and more if it can.
func (p *limits) request(n, more uint64) []any {
	if n == 1 && more == 0 && p.args != nil {
		return p.args
	}
	need := make([]byte, 0, 7*8*len(p.windows))
	for i := range p.windows {
		w := &p.windows[i]
		if w.unlimited {
			continue
		}
		cost := amount{w.capacity.whole + 1, 0} // never
		if n <= w.burst {
			cost = w.cost(n)
		}
		need = doubles(need, w.unit(), w.partsOfMicrosecond(), float64(w.den))
		need = w.capacity.doubles(need)
		need = cost.doubles(need)
	}
	if more == 0 {
		return []any{string(need)}
	}
	want := doubles(nil, float64(more))
	for i := range p.windows {
		if w := &p.windows[i]; !w.unlimited {
			want = w.step.doubles(want)
		}
	}
	return []any{string(need), string(want)}
}

// doubles appends numbers as Lua reads them.
func doubles(b []byte, numbers ...float64) []byte {
	for _, x := range numbers {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	}
	return b
}

func (a amount) doubles(b []byte) []byte { return doubles(b, float64(a.whole), float64(a.part)) }

// unit returns how many microseconds a whole is, a power of two.
func (w *window) unit() float64 { return math.Ldexp(1, int(w.shift)) }

func (w *window) partsOfMicrosecond() float64 {
	if w.mul == 0 && !w.still {
		return math.Ldexp(1, coarseBits-int(w.shift))
	}
	return float64(w.mul)
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

// take is the script, on a state that is in this process: theoretical arrival times,
// at an instant in microseconds. It changes nothing if it denies.
func (p *limits) take(tats []amount, us, n uint64) (debts []amount, ok bool) {
	debts, ok = make([]amount, len(tats)), true
	for i := range p.windows {
		w := &p.windows[i]
		debts[i] = w.sub(tats[i], w.instant(us))
		ok = ok && w.fits(debts[i], n)
	}
	if ok {
		p.charge(tats, us, n)
		for i := range p.windows {
			w := &p.windows[i]
			debts[i] = w.sub(tats[i], w.instant(us))
		}
	}
	return debts, ok
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
		tats[i] = w.add(tats[i], w.cost(min(n, w.burst)))
		if most.less(tats[i]) {
			tats[i] = most
		}
	}
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
