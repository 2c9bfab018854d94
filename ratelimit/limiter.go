package ratelimit

import (
	"fmt"
	"slices"
	"time"

	"github.com/tandemgo/tandem/internal/fifo"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/sched"
)

// A Limiter grants permits: a burst of them at once, and more as time passes. It is made
// by [New], must not be copied, and is safe for concurrent use.
//
// A limiter without a parent and all limiters below it are a family: the lock of the root
// guards them all, and one line has all callers that wait at any of them. The state of a
// root with one window is in its meter between calls, unless a caller waits, so a call to it
// is a compare-and-swap.
type Limiter struct {
	base   time.Time // the same in a family
	parent *Limiter  // nil: none
	root   *Limiter

	family // of a root

	windows  []*window
	all      []*window // and those of the parents
	spent    uint64    // permits granted or charged, ever
	promised int64     // the latest instant of a reservation
	blocked  uint64    // the last round of serve in which a claim was left here
	closed   bool
	waits    uint64

	inLine    int       // claims of l in the line
	unsettled int       // reservations
	gone      bool      // the key of l has another state now
	touch     func(int) // charges the key of l with permits, and lets go of l if that can be; nil: no key
}

// A family is the state that limiters with the same root have in common.
type family struct {
	meter        sched.Pointer[meter] // nil: the state is here always
	mu           sched.Mutex
	open         bool  // the state is in the meter
	now          int64 // since the base; it never goes back
	back         int64 // by so much the clock has
	claims       fifo.List[*claim]
	reservations int    // of the claims
	round        uint64 // of serve
}

// A window is a debt at an instant.
type window struct {
	params
	debt uint64
	last int64
}

// New returns a limiter that grants up to burst permits at once and rate after that. With
// a burst of 0 it grants nothing, unless the rate is Unlimited.
//
// Any rate of up to 1e9 permits per period of up to a year is in range, with a burst of up
// to that number of permits. A rate that 64 bits do not hold exactly is rounded down, by 1
// ppm at most. New panics if rate and burst are out of range or burst is negative.
func New(rate Rate, burst int, opts ...Option) *Limiter {
	var o options
	for _, opt := range opts {
		if opt != nil {
			opt.forLimiter(&o)
		}
	}
	var ps []params
	for _, w := range append([]Window{{rate, burst}}, o.windows...) {
		ps = append(ps, newParams("New", w))
	}
	l := newLimiter(time.Now(), ps, o.parent)
	l.renew()
	l.lock("New")
	defer l.unlock()
	for _, w := range l.windows {
		if o.spent > w.Burst {
			panic(fmt.Sprintf("ratelimit: New: WithSpent must be at most the burst of %d, got %d", w.Burst, o.spent))
		}
		w.debt = w.charged(w.debt, uint64(o.spent))
	}
	return l
}

// newLimiter returns a limiter without a meter; base is that of a root.
func newLimiter(base time.Time, ps []params, parent *Limiter) *Limiter {
	l := &Limiter{base: base, parent: parent}
	l.root, l.round = l, 1
	if parent != nil {
		l.root, l.base = parent.root, parent.base
	}
	for _, p := range ps {
		l.windows = append(l.windows, &window{params: p})
	}
	l.all = l.windows
	if parent != nil {
		l.all = slices.Concat(l.windows, parent.all)
	}
	return l
}

// setWindows replaces the windows of a limiter without children, which would look at the list
// without the lock. A window keeps the debt of the one in its place, in permits, and a new one
// gets that of the first.
func (l *Limiter) setWindows(ps []params) {
	old := l.windows
	l.windows = nil
	for i := range ps {
		w := *old[0]
		if i < len(old) {
			w = *old[i]
		}
		l.windows = append(l.windows, &w)
		l.set(&w, ps[i])
	}
	l.all = slices.Concat(l.windows, l.all[len(old):])
}

// set changes a window, which keeps its debt.
func (l *Limiter) set(w *window, to params) {
	w.debt, w.params = w.converted(w.debt, &to, l.promise()), to
}

// Allow reports whether one permit can be had now, and takes it if so. It never overtakes
// a caller that waits. It costs a reading of the clock and a short lock, which is that of
// the family where there is a parent; while a permit is not due, a denial writes nothing.
func (l *Limiter) Allow() bool { return l.AllowN(1) }

// AllowN is [Limiter.Allow] for n permits, all or none. It panics if n is less than 1.
func (l *Limiter) AllowN(n int) bool {
	misuse.Below(n, 1, "ratelimit: AllowN: number")
	if v, _ := l.meter.Load().take(uint64(n)); v != slowPath {
		return v == allow
	}
	l.lock("Allow")
	defer l.unlock()
	return l.take(uint64(n), true)
}

// Take is [Limiter.AllowN] with the numbers that a server tells its clients. It panics if
// n is less than 1.
func (l *Limiter) Take(n int) Decision {
	misuse.Below(n, 1, "ratelimit: Take: number")
	m := l.meter.Load()
	if v, debt := m.take(uint64(n)); v != slowPath {
		return m.decision(v == allow, debt, uint64(n))
	}
	l.lock("Take")
	defer l.unlock()
	return l.decision(l.take(uint64(n), true), uint64(n))
}

// Peek returns the answer that Take(1) would give, and takes nothing: Remaining still
// counts that permit.
func (l *Limiter) Peek() Decision {
	m := l.meter.Load()
	if v, debt := m.take(0); v != slowPath {
		return m.decision(m.fits(debt, 1), debt, 1)
	}
	l.lock("Peek")
	defer l.unlock()
	return l.decision(l.take(1, false), 1)
}

// take reports whether n permits can be granted now, and takes them if it is to.
func (l *Limiter) take(n uint64, really bool) bool {
	ok := !l.busy()
	for _, w := range l.all {
		ok = ok && w.fits(w.debt, n)
	}
	if ok && really {
		l.spend(n)
	}
	return ok
}

// Charge takes n permits, even if more than the burst is owed then. It is for a cost that
// is known only when it has arisen. Nothing is granted until the debt has come down to
// the burst; callers that wait go on waiting. The debt is bounded by at least twice the
// largest burst. Charge panics if n is less than 1.
func (l *Limiter) Charge(n int) {
	misuse.Below(n, 1, "ratelimit: Charge: number")
	l.lock("Charge")
	defer l.unlock()
	l.spend(uint64(n))
	l.root.serve(nil)
}

// SetRate changes the rate of the window that [New] was given, from now on. As many
// permits are owed as before. Callers that wait are granted as soon as the new rate
// allows. A [Reservation] keeps its instant. SetRate panics if the rate and the burst are
// out of range.
func (l *Limiter) SetRate(rate Rate) {
	l.change("SetRate", func() { l.set(l.windows[0], newParams("SetRate", Window{rate, l.windows[0].Burst})) })
}

// SetBurst changes the burst of the window that [New] was given, from now on. As many
// permits are owed as before. A caller that waits for more than the new burst gets an
// error that wraps [ErrExceedsBurst]. SetBurst panics if the rate and the burst are out of
// range or burst is negative.
func (l *Limiter) SetBurst(burst int) {
	l.change("SetBurst", func() { l.set(l.windows[0], newParams("SetBurst", Window{l.windows[0].Rate, burst})) })
}

// change runs a function that changes a limit.
func (l *Limiter) change(call string, fn func()) {
	l.lock(call)
	defer l.unlock()
	fn()
	if l.meter.Load() != nil {
		l.renew()
	}
	l.root.reconsider()
}

// Close ends the limiter: callers that wait get [ErrClosed], and nothing is granted any
// more, nor by limiters of which it is the parent. It is idempotent and returns nil. A
// limiter needs no closing.
func (l *Limiter) Close() error {
	l.change("Close", func() { l.closed = true })
	return nil
}

// Limit returns the rate and the burst of the window that [New] was given.
func (l *Limiter) Limit() (Rate, int) {
	l.lock("Limit")
	defer l.unlock()
	return l.windows[0].Rate, l.windows[0].Burst
}

// lock locks the family, and moves the limiter and its parents to now. call is the method
// of the caller.
func (l *Limiter) lock(call string) {
	root := l.root
	if root == nil {
		misuse.Zero(true, "ratelimit: "+call, "Limiter", "New")
	}
	root.mu.Lock()
	m, word, rise := root.meter.Load(), uint64(0), uint64(0)
	if m != nil {
		word = m.word.Or(slow)
	}
	now := int64(time.Since(l.base)) + root.back // no grant in the word is later
	if now < root.now {
		root.back += root.now - now
		now = root.now
	}
	if root.open {
		root.open = false
		root.windows[0].debt = (word>>1 - m.seen.Load()*m.speed) & (1<<63 - 1)
		rise = (word - m.put) >> 1
	}
	root.now = now
	l.advance()
	if rise > 0 {
		w := root.windows[0]
		w.debt = min(w.debt, w.capacity)  // more means that the clock has gone back
		root.spent += (rise-1)/w.cost + 1 // or fewer
	}
}

// advance moves the windows to now.
func (l *Limiter) advance() {
	now := l.root.now
	for _, w := range l.all {
		w.debt, w.last = w.after(w.debt, time.Duration(now-w.last)), now
	}
}

// unlock is the end of lock.
func (l *Limiter) unlock() {
	root := l.root
	if m := root.meter.Load(); m != nil && !root.closed && root.blocked != root.round {
		now := uint64(root.now - root.back)
		root.open, m.put = true, (now*m.speed+root.windows[0].debt)<<1
		m.seen.Store(now)
		m.word.Store(m.put)
	}
	root.mu.Unlock()
}

// busy reports whether a caller waits, or l is closed.
func (l *Limiter) busy() bool {
	for m := l; m != nil; m = m.parent {
		if m.closed || m.blocked == l.root.round {
			return true
		}
	}
	return false
}

// due returns the time until windows allow n permits.
func due(ws []*window, n uint64) (d time.Duration) {
	for _, w := range ws {
		d = max(d, w.delay(w.debt, n))
	}
	return d
}

// spend makes n more permits owed.
func (l *Limiter) spend(n uint64) {
	for _, w := range l.all {
		w.debt = w.charged(w.debt, n)
	}
	for m := l; m != nil; m = m.parent {
		m.spent += n
	}
}

// promise returns the time until the latest instant of a reservation.
func (l *Limiter) promise() time.Duration { return time.Duration(max(0, l.promised-l.root.now)) }

// decision describes the answer to a call for n permits.
func (l *Limiter) decision(ok bool, n uint64) Decision {
	d := Decision{OK: ok}
	for i, w := range l.all {
		o := w.decision(ok, w.debt, n)
		if i == 0 || o.Remaining < d.Remaining {
			d.Limit, d.Remaining = o.Limit, o.Remaining
		}
		d.RetryAfter, d.ResetAfter = max(d.RetryAfter, o.RetryAfter), max(d.ResetAfter, o.ResetAfter)
	}
	if l.busy() {
		d.Remaining, d.RetryAfter = 0, Never
		if l.refuses(n) == nil {
			d.RetryAfter = l.forecast(n, 0)
		}
	}
	return d
}
