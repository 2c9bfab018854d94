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
// The state of a limiter with one window and no parent is one word, in its meter, and a
// call is a compare-and-swap on it. lock takes the state out of the word and unlock puts
// it back, unless a caller waits or the limiter is closed. Any other limiter has its state
// behind mu always. A call locks the limiter first and then its parents.
//
// A waiter grants itself its permits, on its own goroutine, when it is in front and they
// are due. It wakes the next one when it leaves. Only the one in front has a timer.
type Limiter struct {
	base   time.Time
	chain  []*Limiter // the limiter, its parent, and so on
	meter  sched.Pointer[meter]
	barred sched.Bool // a caller waits, or the limiter is closed

	mu       sched.Mutex
	open     bool   // the state is in the meter
	put      uint64 // what was put into it
	windows  []window
	spent    uint64            // permits granted or charged, ever
	promises []int64           // the instants of reservations for later
	line     fifo.List[*claim] // callers that wait, and reservations behind them, which are not owed yet
	behind   int               // such reservations
	watchers fifo.List[*claim] // waiters of limiters below this one
	changed  bool              // the waiter in front has to look again
	closed   bool
	waits    uint64
}

// A window is the state of one window behind the lock.
type window struct {
	params
	cell
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
	l := newLimiter("New", time.Now(), append([]Window{{rate, burst}}, o.windows...), o.parent)
	l.lock()
	defer l.unlock()
	for i := range l.windows {
		if w := &l.windows[i]; uint64(o.spent) > w.burst {
			panic(fmt.Sprintf("ratelimit: New: WithSpent must be at most the burst of %d, got %d", w.burst, o.spent))
		}
	}
	l.spendHere(uint64(o.spent))
	return l
}

// newLimiter returns a limiter, the state of which is behind the lock.
func newLimiter(call string, base time.Time, ws []Window, parent *Limiter) *Limiter {
	l := &Limiter{base: base}
	l.chain = append(l.chain, l)
	if parent != nil {
		l.chain = append(l.chain, parent.chain...)
	}
	l.setWindows(call, ws)
	for i := range l.windows {
		l.windows[i].last = int64(time.Since(base))
	}
	return l
}

// promised returns the time until the instant of the last reservation.
func (l *Limiter) promised() time.Duration {
	now := l.windows[0].last
	l.promises = slices.DeleteFunc(l.promises, func(at int64) bool { return at <= now })
	if len(l.promises) == 0 {
		return 0
	}
	return time.Duration(slices.Max(l.promises) - now)
}

// setWindows replaces the windows. A window keeps what the one in its place owes, in
// permits, and one that is new owes what the first does.
func (l *Limiter) setWindows(call string, ws []Window) {
	now := make([]window, len(ws))
	for i, w := range ws {
		now[i].params = newParams(call, w)
		if len(l.windows) > 0 {
			old := &l.windows[0]
			if i < len(l.windows) {
				old = &l.windows[i]
			}
			now[i].cell = old.cell
			now[i].convert(&old.params, &now[i].params, l.promised())
		}
	}
	l.windows = now
	m := &meter{params: now[0].params, base: l.base}
	m.word.Store(slow)
	l.meter.Store(m)
	l.wakeAll()
}

// Allow reports whether one permit can be had now, and takes it if so. It never overtakes
// a caller that waits. It costs a reading of the clock and a compare-and-swap; a denial
// writes nothing, unless permits are reserved for later.
func (l *Limiter) Allow() bool { return l.AllowN(1) }

// AllowN is [Limiter.Allow] for n permits, all or none. It panics if n is less than 1.
func (l *Limiter) AllowN(n int) bool {
	k := checkN("AllowN", n)
	v, _ := l.meter.Load().take(k)
	return v == granted || v == unsure && !l.barred.Load() && l.takeSlow(k)
}

func (l *Limiter) takeSlow(n uint64) bool {
	l.lockState()
	defer l.unlock()
	return l.take(n)
}

// Take is [Limiter.AllowN] with the numbers that a server tells its clients. It panics if
// n is less than 1.
func (l *Limiter) Take(n int) Decision {
	k := checkN("Take", n)
	m := l.meter.Load()
	if v, debt := m.take(k); v != unsure {
		return m.decision(v == granted, debt, k)
	}
	l.lock()
	defer l.unlock()
	return l.decision(l.take(k), k)
}

// Peek returns the answer that Take(1) would give, and takes nothing: Remaining still
// counts that permit.
func (l *Limiter) Peek() Decision {
	m := l.meter.Load()
	if _, _, debt, ok := m.read(); ok {
		return m.decision(m.delay(debt, 1) == 0, debt, 1)
	}
	l.lock()
	defer l.unlock()
	return l.decision(l.due(1) == 0, 1)
}

// Charge takes n permits, even if more than the burst is owed then. It is for a cost that
// is known only when it has arisen. Nothing is granted until what is owed has come down to
// the burst; callers that wait go on waiting. The debt is bounded by at least twice the
// largest burst. Charge panics if n is less than 1.
func (l *Limiter) Charge(n int) {
	k := checkN("Charge", n)
	l.lock()
	defer l.unlock()
	l.charge(k)
}

func (l *Limiter) charge(n uint64) {
	for _, m := range l.chain {
		m.spendHere(n)
		m.changed = true
	}
}

// SetRate changes the rate of the window that [New] was given, from now on. As many
// permits are owed as before. Callers that wait are granted as soon as the new rate
// allows. A [Reservation] keeps its instant. SetRate panics if the rate and the burst are
// out of range.
func (l *Limiter) SetRate(rate Rate) {
	l.lock()
	defer l.unlock()
	l.set("SetRate", Window{rate, l.windows[0].Burst})
}

// SetBurst changes the burst of the window that [New] was given, from now on. As many
// permits are owed as before. A caller that waits for more than the new burst gets an
// error that wraps [ErrExceedsBurst]. SetBurst panics if the rate and the burst are out of
// range or burst is negative.
func (l *Limiter) SetBurst(burst int) {
	l.lock()
	defer l.unlock()
	l.set("SetBurst", Window{l.windows[0].Rate, burst})
}

func (l *Limiter) set(call string, first Window) {
	ws := []Window{first}
	for i := range l.windows[1:] {
		ws = append(ws, l.windows[1+i].Window)
	}
	l.setWindows(call, ws)
}

// Close ends the limiter: callers that wait get [ErrClosed], and nothing is granted any
// more, nor by limiters of which it is the parent. It is idempotent and returns nil. A
// limiter needs no closing.
func (l *Limiter) Close() error {
	l.lock()
	defer l.unlock()
	l.closed = true
	l.wakeAll()
	return nil
}

// Limit returns the rate and the burst of the window that [New] was given.
func (l *Limiter) Limit() (Rate, int) {
	m := l.meter.Load()
	return m.Rate, m.Burst
}

func checkN(call string, n int) uint64 {
	if n < 1 { // otherwise no string is made
		misuse.Below(n, 1, "ratelimit: "+call+": number")
	}
	return uint64(n)
}

// lock locks the limiter and its parents, moves them to now, and puts their lines in order.
func (l *Limiter) lock() {
	l.lockState()
	for _, m := range l.chain {
		if m.behind > 0 {
			m.keepPromises()
		}
	}
}

// lockState is lock for a call that does nothing if there is a line.
func (l *Limiter) lockState() {
	for _, m := range l.chain {
		m.mu.Lock()
		old := m.meter.Load().word.Or(slow)
		now := int64(time.Since(m.base)) // no grant in the word is later
		for i := range m.promises {
			m.promises[i] += min(now-m.windows[0].last, 0) // the clock may have gone back
		}
		if m.open {
			m.open = false
			m.spent += m.meter.Load().get(&m.windows[0].cell, m.put, old, now)
		}
		for i := range m.windows {
			w := &m.windows[i]
			w.advance(&w.params, now)
		}
	}
}

// unlock is the end of lock.
func (l *Limiter) unlock() {
	for _, m := range slices.Backward(l.chain) {
		if n := m.line.Front(); n != nil && m.changed {
			sched.Signal(n.Value.wake)
		}
		m.changed = false
		barred := m.closed || m.line.Len() > 0
		if barred != m.barred.Load() {
			m.barred.Store(barred)
		}
		if m.open = !barred && len(m.windows) == 1 && len(m.chain) == 1; m.open {
			m.put = m.meter.Load().put(m.windows[0].cell)
		}
		m.mu.Unlock()
	}
}

// take grants n permits if that is possible now.
func (l *Limiter) take(n uint64) bool {
	if l.due(n) > 0 {
		return false
	}
	l.spend(n)
	return true
}

// due returns the time until n permits can be granted; Never if a caller waits.
func (l *Limiter) due(n uint64) (d time.Duration) {
	for _, m := range l.chain {
		if m.closed || m.line.Len() > 0 {
			return Never
		}
		d = max(d, m.dueHere(n))
	}
	return d
}

// dueHere returns the time until the windows of l itself allow n permits.
func (l *Limiter) dueHere(n uint64) (d time.Duration) {
	for i := range l.windows {
		w := &l.windows[i]
		d = max(d, w.delay(w.debt, n))
	}
	return d
}

// spend makes n more permits owed.
func (l *Limiter) spend(n uint64) {
	for _, m := range l.chain {
		m.spendHere(n)
	}
}

func (l *Limiter) spendHere(n uint64) {
	l.spent += n
	for i := range l.windows {
		w := &l.windows[i]
		w.debt = w.charged(w.debt, n)
	}
}

// decision describes the answer to a call for n permits.
func (l *Limiter) decision(ok bool, n uint64) (d Decision) {
	busy := false
	for _, m := range l.chain {
		busy = busy || m.closed || m.line.Len() > 0
		for i := range m.windows {
			w := &m.windows[i]
			if o := w.decision(ok, w.debt, n); m == l && i == 0 {
				d = o
			} else {
				d.and(o)
			}
		}
	}
	if busy {
		d.Remaining, d.RetryAfter = 0, l.delay(n)
	}
	return d
}

// owed returns how many permits are owed, in the window that owes most.
func (l *Limiter) owed() (permits float64) {
	for i := range l.windows {
		w := &l.windows[i]
		permits = max(permits, float64(w.debt)/float64(w.cost))
	}
	return permits
}
