package ratelimit

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/fifo"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/point"
)

// How a limiter works.
//
// In the ordinary course of things the state of a limiter is one word, in meter,
// and a claim is a compare-and-swap on it (see plan). When there is more to know
// than fits in the word, it is held or shut, and the state is in bucket, guarded by
// mu: while somebody waits, while permits are promised for later, after Stop, with
// more owed than SetBurst allows, and for extremes of rate and burst. lock takes
// the state out of the word, and unlock puts it back if it can. The clock is read
// with the lock held and the word taken, so readings are in order.
//
// Waiters are a first-in, first-out list, each parked on a channel of capacity 1
// of its own. Only the one in front has a timer; when it fires, it grants itself
// and all behind it that are due, and wakes the next in front to set its own.
// Whoever takes a waiter off the list sets done and wakes it; a waiter that gives
// up takes itself off, unless done, and if it was in front wakes the next. Nobody
// overtakes a waiter: while there is one, the word is shut.

// A Limiter grants permits: a burst of them at once, and more as time passes.
// It is made by [New], must not be copied, and is safe for concurrent use.
type Limiter struct {
	id    uint64 // the order in which Multi locks
	base  time.Time
	meter atomic.Pointer[meter] // changed under mu

	mu      point.Mutex
	inWord  bool   // the state is in the meter's word, and bucket is out of date
	put     uint64 // what was put into it
	plan    plan
	bucket  bucket
	lastPin uint64
	waiters fifo.List[*waiter]
	multis  fifo.List[chan struct{}] // of Multi waiters with a pin here
	stopped bool
}

type waiter struct {
	n    uint64
	node *fifo.Node[*waiter]
	wake chan struct{}
	done bool  // granted, or ended with err; guarded by Limiter.mu
	err  error // set with done
}

// limiterID numbers limiters. It orders locks and has no other effect.
var limiterID atomic.Uint64

// New returns a limiter that grants up to burst permits at once, in all, and
// rate from then on. With a burst of 0 it grants nothing, unless the rate is
// Unlimited. New panics if burst is negative.
func New(rate Rate, burst int, opts ...Option) *Limiter {
	p := checkedPlan("New", rate, burst)
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	if o.spent > burst {
		panic(fmt.Sprintf("ratelimit: New: WithSpent must be at most the burst of %d, got %d", burst, o.spent))
	}
	return newLimiter(time.Now(), p, uint64(o.spent))
}

func newLimiter(base time.Time, p plan, spent uint64) *Limiter {
	l := &Limiter{id: limiterID.Add(1), base: base, plan: p, bucket: newBucket(p)}
	l.meter.Store(newMeter(p, base, 0))
	l.lock()
	l.bucket.take(spent)
	l.unlock()
	return l
}

// Allow reports whether one permit can be had now, and takes it if so. It never
// overtakes a waiter. It costs a reading of the clock and a compare-and-swap, and
// a denial writes nothing.
func (l *Limiter) Allow() bool {
	v, _, _ := l.meter.Load().take(1)
	return v == granted || v == unsure && l.allowSlow(1)
}

// AllowN is Allow for n permits, all or none. It panics if n is less than 1.
func (l *Limiter) AllowN(n int) bool {
	k := checkN("AllowN", n)
	v, _, _ := l.meter.Load().take(k)
	return v == granted || v == unsure && l.allowSlow(k)
}

func (l *Limiter) allowSlow(n uint64) bool {
	l.lock()
	defer l.unlock()
	return l.allowLocked(n)
}

// Take is AllowN that says more. It panics if n is less than 1.
func (l *Limiter) Take(n int) Decision {
	k := checkN("Take", n)
	m := l.meter.Load()
	if v, d := m.decide(&m.word, &m.clock, k); v != unsure {
		return d
	}
	l.lock()
	defer l.unlock()
	ok := l.allowLocked(k)
	var retry time.Duration
	if !ok {
		retry = l.delayLocked(k)
	}
	return l.decisionLocked(ok, retry)
}

// SetRate changes the rate from now on. As many permits are owed as before. Who
// waits is granted as soon as the new rate allows; a [Reservation] keeps its
// instant.
func (l *Limiter) SetRate(rate Rate) {
	rate.check("SetRate")
	l.lock()
	defer l.unlock()
	l.bucket.setRate(rate)
	l.plan = newPlan(rate, l.bucket.burst)
	l.changedLocked()
}

// SetBurst changes the burst from now on. As many permits are owed as before,
// so that after lowering it may take a while until more are granted. Who waits
// for more than the new burst gets ErrExceedsBurst. It panics if burst is
// negative.
func (l *Limiter) SetBurst(burst int) {
	misuse.Negative(burst, "ratelimit: SetBurst: burst")
	l.lock()
	defer l.unlock()
	l.bucket.burst = uint64(burst)
	l.plan = newPlan(l.bucket.rate, l.bucket.burst)
	l.changedLocked()
}

// Stop ends the limiter: who waits gets ErrStopped, and nothing is granted any
// more. It is idempotent.
func (l *Limiter) Stop() {
	l.lock()
	defer l.unlock()
	l.stopped = true
	for w, ok := l.waiters.Pop(); ok; w, ok = l.waiters.Pop() {
		w.end(ErrStopped)
	}
	l.changedLocked()
}

func checkN(call string, n int) uint64 {
	if n < 1 { // otherwise no string is made
		misuse.Below(n, 1, "ratelimit: "+call+": number")
	}
	return uint64(n)
}

// lock takes mu and moves the bucket to now.
func (l *Limiter) lock() {
	point.At("ratelimit: limiter before its lock")
	l.mu.Lock()
	l.holdLocked()
	l.settleLocked(time.Since(l.base))
}

// holdLocked keeps everybody else off the word.
func (l *Limiter) holdLocked() {
	if l.inWord {
		point.At("ratelimit: limiter before it holds the word")
		l.meter.Load().word.Or(held)
	}
}

// settleLocked moves the bucket to now, which was read after holdLocked.
func (l *Limiter) settleLocked(now time.Duration) {
	if l.inWord {
		// Every grant left at most the burst owed. If there was none since the
		// state was put into the word, no more is owed than then.
		m, limit := l.meter.Load(), l.bucket.capacity()
		if m.word.Load() == l.put|held {
			limit = l.bucket.debt
		}
		m.get(&l.bucket, limit, now)
		l.inWord = false
		return
	}
	l.bucket.advance(now)
}

// unlock puts the state into the word if there is no more to it, and gives mu
// back.
func (l *Limiter) unlock() {
	m := l.meter.Load()
	switch {
	case l.stopped || l.waiters.Len() > 0:
		m.word.Store(shut)
	case len(l.bucket.pins) > 0 || !l.plan.fits:
		m.word.Store(held)
	default:
		if since := uint64(l.bucket.last - m.epoch); m.plan != l.plan || since > m.span {
			m.word.Store(held)
			m = newMeter(l.plan, l.base, l.bucket.last)
		}
		if l.put, l.inWord = m.put(&l.bucket); !l.inWord {
			m.word.Store(held)
		}
		point.At("ratelimit: limiter has opened the word")
		l.meter.Store(m)
	}
	l.mu.Unlock()
}

// allowLocked grants n permits at the bucket's instant if that is possible.
func (l *Limiter) allowLocked(n uint64) bool {
	if l.stopped || l.waiters.Len() > 0 {
		return false
	}
	if at, ok := l.bucket.earliest(n, l.bucket.last); !ok || at > l.bucket.last {
		return false
	}
	l.bucket.take(n)
	return true
}

// delayLocked returns how long n permits take to come, behind all who wait.
func (l *Limiter) delayLocked(n uint64) time.Duration {
	if l.stopped {
		return Never
	}
	b, from, ok := l.projectLocked()
	if ok {
		from, ok = b.earliest(n, from)
	}
	if !ok {
		return Never
	}
	return between(l.bucket.last, from)
}

// projectLocked returns the bucket with the claims of all who wait, where they
// will be granted, and the last of these instants; ok is false if one never will.
func (l *Limiter) projectLocked() (b bucket, from time.Duration, ok bool) {
	if l.waiters.Len() == 0 {
		return l.bucket, l.bucket.last, true // shares the pins, to be read only
	}
	b = l.bucket.clone()
	from = b.last
	for w := range l.waiters.All() {
		if from, ok = b.earliest(w.n, from); !ok {
			return b, 0, false
		}
		if len(l.bucket.pins) > 0 {
			b.pin(0, from, w.n)
			continue
		}
		// Nothing is promised for later, so it can be granted on the spot. A
		// thousand pins would have to be walked for each of a thousand.
		b.repay(from)
		b.take(w.n)
	}
	return b, from, true
}

func (l *Limiter) decisionLocked(ok bool, retry time.Duration) Decision {
	d := Decision{
		OK:         ok,
		Limit:      int(l.bucket.burst),
		RetryAfter: retry,
		ResetAfter: l.bucket.reset(),
	}
	if !l.stopped && l.waiters.Len() == 0 {
		d.Remaining = int(l.bucket.remaining())
	}
	return d
}

// changedLocked lets those who wait look again.
func (l *Limiter) changedLocked() {
	for n := l.waiters.Front(); n != nil; {
		next, w := n.Next(), n.Value
		if w.n > l.bucket.burst && !l.bucket.rate.unlimited {
			l.waiters.Remove(n)
			w.end(exceeds(w.n, l.bucket.burst))
		}
		n = next
	}
	l.wakeFrontLocked()
	for ch := range l.multis.All() {
		ctxselect.Signal(ch)
	}
}

// wakeFrontLocked lets the waiter in front look again and set its timer.
func (l *Limiter) wakeFrontLocked() {
	if n := l.waiters.Front(); n != nil {
		ctxselect.Signal(n.Value.wake)
	}
}

// grantLocked grants all waiters, from the front, who are due.
func (l *Limiter) grantLocked() {
	for n := l.waiters.Front(); n != nil; n = l.waiters.Front() {
		w := n.Value
		if at, ok := l.bucket.earliest(w.n, l.bucket.last); !ok || at > l.bucket.last {
			return
		}
		l.bucket.take(w.n)
		l.waiters.Remove(n)
		w.end(nil)
	}
}

func (w *waiter) end(err error) {
	w.done, w.err = true, err
	ctxselect.Signal(w.wake)
}

func exceeds(n, burst uint64) error {
	return fmt.Errorf("%w: asked for %d, the burst is %d", ErrExceedsBurst, n, burst)
}

// owed returns what is owed, in units of the limit, and when.
func (l *Limiter) owed() (debt u128, at time.Duration) {
	l.lock()
	defer l.unlock()
	return l.bucket.debt, l.bucket.last
}

func (l *Limiter) idle() bool {
	debt, _ := l.owed()
	return debt.zero()
}

// owe sets what was owed at an instant. Who waits is granted as soon as that
// allows.
func (l *Limiter) owe(debt u128, at time.Duration) {
	l.lock()
	defer l.unlock()
	now := l.bucket.last
	l.bucket.debt, l.bucket.last = debt, at
	l.bucket.advance(now)
	l.changedLocked()
}

func (l *Limiter) limit() plan {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.plan
}
