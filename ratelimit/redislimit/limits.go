package redislimit

import (
	"math"
	"slices"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

// check panics if x is out of range. call is the caller's name.
func check(call string, x ratelimit.Window) {
	if x.Rate == (ratelimit.Rate{}) {
		panic("redislimit: " + call + ": the zero Rate is not usable, make one with ratelimit.Per or ratelimit.Every")
	}
	atLeast(x.Burst, 0, call+": burst")
	ratelimit.New(x.Rate, x.Burst) // panics if it is out of range
}

// limits are the windows of a key and of its parent: all of them grant, or none does. They
// do not change. Of windows that are unlimited, only the burst is kept, for decisions to tell.
type limits struct {
	given   []ratelimit.Window // they are made of these
	parent  *limits            // nil for none
	windows []window           // those of the parent at the end
	burst   uint64             // the least
	free    int                // the least burst of those that are unlimited
	ids     string             // what the script knows the windows of the key by
}

// newLimits returns the windows of a key. call is the caller's name.
func newLimits(call string, given []ratelimit.Window, parent *limits) *limits {
	atLeast(len(given), 1, call+": number of windows")
	var windows []window
	free := math.MaxInt
	for _, x := range given {
		check(call, x)
		if x.Rate == ratelimit.Unlimited {
			free = min(free, x.Burst)
			continue
		}
		if w := newWindow(x.Rate, uint64(x.Burst)); !slices.Contains(windows, w) {
			windows = append(windows, w)
		}
	}
	p := limitsOf(windows, parent)
	p.given, p.free = given, min(p.free, free)
	return p
}

// limitsOf returns limits of windows, for the key alone.
func limitsOf(windows []window, parent *limits) *limits {
	p := &limits{parent: parent, windows: windows, burst: math.MaxUint64, free: math.MaxInt}
	var ids []byte
	for i := range windows {
		w := &windows[i]
		ids = w.step.doubles(doubles(ids, w.unit(), float64(w.den)))
		ids = w.capacity.doubles(ids)
		p.burst = min(p.burst, w.burst)
	}
	p.ids = string(ids)
	if parent != nil {
		p.windows = slices.Concat(windows, parent.windows)
		p.burst, p.free = min(p.burst, parent.burst), min(p.free, parent.free)
	}
	return p
}

// constant returns the decision about n permits if nothing in Redis can change it.
func (p *limits) constant(n uint64) (d ratelimit.Decision, ok bool) {
	switch {
	case len(p.windows) == 0: // unlimited
		return ratelimit.Decision{OK: true, Limit: p.free, Remaining: p.free}, true
	case p.burst == 0:
		return p.decision(false, make([]amount, len(p.windows)), 0, n), true
	}
	return d, false
}

// own returns the windows without those of the parent.
func (p *limits) own() []window {
	if p.parent == nil {
		return p.windows
	}
	return p.windows[:len(p.windows)-len(p.parent.windows)]
}

// fits reports whether n permits can be granted if debts was owed so many
// microseconds ago.
func (p *limits) fits(debts []amount, ago, n uint64) bool {
	for i := range p.windows {
		w := &p.windows[i]
		if !w.fits(w.after(debts[i], ago), n) {
			return false
		}
	}
	return true
}

// decision returns the decision if debts was owed so many microseconds ago, after n
// permits were granted or denied: the Limit and Remaining of the window with the
// least remaining, and the delays of all together.
func (p *limits) decision(ok bool, debts []amount, ago, n uint64) ratelimit.Decision {
	d := ratelimit.Decision{OK: ok}
	for i := range p.windows {
		w := &p.windows[i]
		debt := w.after(debts[i], ago)
		if left := int(w.remaining(debt)); i == 0 || left < d.Remaining {
			d.Limit, d.Remaining = int(w.burst), left
		}
		d.ResetAfter = max(d.ResetAfter, w.repaid(debt))
		if !ok {
			d.RetryAfter = max(d.RetryAfter, w.delay(debt, n))
		}
	}
	if p.free < d.Remaining {
		d.Limit, d.Remaining = p.free, p.free
	}
	if !ok {
		// The permits may have come back while Redis answered.
		d.RetryAfter = max(d.RetryAfter, time.Microsecond)
	}
	return d
}

// late returns how long it takes until no more than the burst is owed.
func (p *limits) late(debts []amount) (d time.Duration) {
	for i := range p.windows {
		d = max(d, p.windows[i].late(debts[i]))
	}
	return d
}
