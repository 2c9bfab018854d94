package ratelimit

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/fifo"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/point"
)

// How a Multi works.
//
// Members are locked together, in the order of their ids, and the clock is read
// once for all. Waiters of a Multi are a first-in, first-out list. Only the one in
// front asks the members: it finds the first instant at which all of them can
// grant, pins its claim there in each, and sleeps until then. Giving up takes the
// pins back. mu guards the list and is never held together with a member's lock,
// except when it is taken first.

// A Multi is several limiters that must all agree, such as 10 a second and 1000
// an hour: what it grants is granted by all of them, and what one denies is
// spent on none. It is made by [All] and is safe for concurrent use. The
// limiters may be used on their own and in other Multis as well.
type Multi struct {
	members []*Limiter

	mu      point.Mutex
	waiters fifo.List[*multiWaiter]
}

type multiWaiter struct {
	n    uint64
	node *fifo.Node[*multiWaiter]
	wake chan struct{} // the way to the front is free, or a member has changed
	pins []uint64      // one for each member, while it is in front
	regs []*fifo.Node[chan struct{}]
	hope bool // its instant will come
}

// All returns a limiter that grants what all of ls grant. One that is given
// twice counts once; of none it grants everything. It panics if one is nil.
func All(ls ...*Limiter) *Multi {
	for _, l := range ls {
		misuse.Nil(l == nil, "ratelimit: All: limiter")
	}
	members := slices.Clone(ls)
	slices.SortFunc(members, func(a, b *Limiter) int { return cmp.Compare(a.id, b.id) })
	return &Multi{members: slices.Compact(members)}
}

// Allow reports whether all limiters grant one permit now, and takes it from
// each if so.
func (m *Multi) Allow() bool { return m.AllowN(1) }

// AllowN is Allow for n permits. It panics if n is less than 1.
func (m *Multi) AllowN(n int) bool {
	k := checkN("AllowN", n)
	for _, l := range m.members {
		if meter := l.meter.Load(); meter.denies(&meter.word, &meter.clock, k) {
			return false // without a lock
		}
	}
	point.At("ratelimit: multi before its lock")
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.lockMembers()()
	return m.allowLocked(k)
}

// Take is AllowN that says more: the Limit and Remaining of the limiter with the
// least remaining, and the delays of all together. It panics if n is less than
// 1.
func (m *Multi) Take(n int) Decision {
	k := checkN("Take", n)
	point.At("ratelimit: multi before its lock")
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.lockMembers()()
	ok := m.allowLocked(k)
	var retry time.Duration
	if !ok {
		retry = m.delayLocked(k)
	}
	d := Decision{OK: ok, RetryAfter: retry}
	for i, l := range m.members {
		dl := l.decisionLocked(ok, retry)
		if i == 0 || dl.Remaining < d.Remaining {
			d.Limit, d.Remaining = dl.Limit, dl.Remaining
		}
		d.ResetAfter = max(d.ResetAfter, dl.ResetAfter)
	}
	if m.waiters.Len() > 0 {
		d.Remaining = 0
	}
	return d
}

// Wait waits for one permit of all limiters. See WaitN.
func (m *Multi) Wait(ctx context.Context) error { return m.WaitN(ctx, 1) }

// WaitN waits until all limiters grant n permits, behind all who wait already,
// here or at one of them, and takes them. Its errors are those of
// [Limiter.WaitN]: ErrStopped when one of the limiters is stopped, and one that
// wraps ErrExceedsBurst when the burst of one is too small. It panics if ctx is
// nil or n is less than 1.
func (m *Multi) WaitN(ctx context.Context, n int) error {
	ctxselect.Require(ctx, "ratelimit: WaitN")
	k := checkN("WaitN", n)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	deadline, limited := ctx.Deadline()
	w, err := m.lineUp(k, deadline, limited)
	if w == nil || err != nil {
		return err
	}
	defer m.leave(w)
	var alarm alarm
	defer alarm.stop()
	for {
		point.At("ratelimit: multi waiter before it looks")
		granted, delay, err := m.look(w)
		if granted || err != nil {
			return err
		}
		point.At("ratelimit: multi waiter before it parks")
		select {
		case <-w.wake:
		case <-alarm.in(delay):
		case <-ctx.Done():
			point.At("ratelimit: multi waiter before it gives up")
			if m.giveUp(w) {
				return context.Cause(ctx)
			}
			return nil // its instant has come
		}
	}
}

// lineUp grants n permits at once, in which case it returns nil, or puts a new
// waiter at the end of the line, or says why there is no point in that.
func (m *Multi) lineUp(n uint64, deadline time.Time, limited bool) (*multiWaiter, error) {
	point.At("ratelimit: multi before its lock")
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.lockMembers()()
	if m.allowLocked(n) {
		return nil, nil
	}
	if err := m.hopelessLocked(n); err != nil {
		return nil, err
	}
	if limited {
		if err := tooLate(n, m.delayLocked(n), deadline); err != nil {
			return nil, err
		}
	}
	w := &multiWaiter{n: n, wake: make(chan struct{}, 1)}
	w.node = m.waiters.PushBack(w)
	return w, nil
}

// look returns whether w is granted. If it is in front it is pinned afterwards,
// and delay is how long it has to wait; otherwise that is Never.
func (m *Multi) look(w *multiWaiter) (granted bool, delay time.Duration, err error) {
	m.mu.Lock()
	front := m.waiters.Front().Value == w
	m.mu.Unlock()
	if !front {
		return false, Never, nil
	}
	point.At("ratelimit: multi waiter in front before it locks the members")
	defer m.lockMembers()()
	if w.pins != nil {
		if !m.unpinLocked(w) {
			return true, 0, nil
		}
	}
	if err := m.hopelessLocked(w.n); err != nil {
		return false, 0, err
	}
	delay = m.jointLocked([]uint64{w.n})
	if delay == 0 {
		m.takeLocked(w.n)
		return true, 0, nil
	}
	w.hope = delay != Never
	for _, l := range m.members {
		l.lastPin++
		w.pins = append(w.pins, l.lastPin)
		w.regs = append(w.regs, l.multis.PushBack(w.wake))
		if w.hope {
			l.bucket.pin(l.lastPin, l.bucket.last+delay, w.n)
		}
	}
	return false, delay, nil
}

// giveUp takes the pins of w back and reports whether their instant was still
// to come.
func (m *Multi) giveUp(w *multiWaiter) bool {
	defer m.lockMembers()()
	return w.pins == nil || m.unpinLocked(w)
}

// unpinLocked takes the pins of w back, and reports whether their instant was
// still to come. It is the same instant in all members.
func (m *Multi) unpinLocked(w *multiWaiter) (pending bool) {
	pending = !w.hope
	for i, l := range m.members {
		l.multis.Remove(w.regs[i])
		if l.bucket.unpin(w.pins[i]) {
			pending = true
			l.wakeFrontLocked() // there may be room now
		}
	}
	w.pins, w.regs = nil, nil
	return pending
}

// leave takes w out of the line and lets the next one come to the front.
func (m *Multi) leave(w *multiWaiter) {
	point.At("ratelimit: multi waiter before it leaves")
	unlock := m.lockMembers()
	if w.pins != nil {
		m.unpinLocked(w)
	}
	unlock()
	point.At("ratelimit: multi waiter before it wakes the next")
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiters.Remove(w.node)
	if n := m.waiters.Front(); n != nil {
		ctxselect.Signal(n.Value.wake)
	}
}

// lockMembers locks all members, moves them to now, and returns what unlocks
// them.
func (m *Multi) lockMembers() (unlock func()) {
	for _, l := range m.members {
		l.mu.Lock()
		l.holdLocked()
	}
	now := time.Now() // once for all, and with all locks held
	for _, l := range m.members {
		l.settleLocked(now.Sub(l.base))
	}
	return func() {
		for _, l := range m.members {
			l.unlock()
		}
	}
}

// allowLocked grants n permits now if nobody waits and all members can.
func (m *Multi) allowLocked(n uint64) bool {
	if m.waiters.Len() > 0 {
		return false
	}
	for _, l := range m.members {
		at, ok := l.bucket.earliest(n, l.bucket.last)
		if !ok || at > l.bucket.last || l.stopped || l.waiters.Len() > 0 {
			return false
		}
	}
	m.takeLocked(n)
	return true
}

func (m *Multi) takeLocked(n uint64) {
	for _, l := range m.members {
		l.bucket.take(n)
	}
}

// hopelessLocked returns why n permits will never be granted, as things are.
func (m *Multi) hopelessLocked(n uint64) error {
	for _, l := range m.members {
		if l.stopped {
			return ErrStopped
		}
		if n > l.bucket.burst && !l.bucket.rate.unlimited {
			return exceeds(n, l.bucket.burst)
		}
	}
	return nil
}

// delayLocked returns how long n permits take to come, behind all who wait here
// or at a member.
func (m *Multi) delayLocked(n uint64) time.Duration {
	ns := make([]uint64, 0, m.waiters.Len()+1)
	for w := range m.waiters.All() {
		if w.pins == nil { // a pinned one is in the buckets
			ns = append(ns, w.n)
		}
	}
	return m.jointLocked(append(ns, n))
}

// jointLocked returns how long the last of ns takes to come, one after the
// other, behind those who wait at a member.
func (m *Multi) jointLocked(ns []uint64) (delay time.Duration) {
	if m.hopelessLocked(ns[len(ns)-1]) != nil {
		return Never
	}
	buckets := make([]bucket, len(m.members))
	for i, l := range m.members {
		b, from, ok := l.projectLocked()
		if !ok {
			return Never
		}
		buckets[i] = b.clone()
		delay = max(delay, between(l.bucket.last, from))
	}
	for _, n := range ns {
		for settled := false; !settled; {
			settled = true
			for i := range buckets {
				b := &buckets[i]
				now := m.members[i].bucket.last
				if delay > math.MaxInt64-max(now, 0) {
					return Never
				}
				at, ok := b.earliest(n, now+delay)
				if !ok {
					return Never
				}
				if d := between(now, at); d > delay {
					delay, settled = d, false
				}
			}
		}
		for i := range buckets {
			buckets[i].pin(0, m.members[i].bucket.last+delay, n)
		}
	}
	return delay
}
