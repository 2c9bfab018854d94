package ratelimit

import (
	"math"
	"time"

	"github.com/tandemgo/tandem/internal/sched"
)

// A meter is the debt of one window, changed without a lock. word is TAT in units since base,
// modulo 2^63, and the lowest bit is slow: the state is behind the lock of the limiter.
// Differences of TAT and now are taken as signed numbers. seen is an instant before which
// TAT is not; a meter that was not seen for longer than the horizon is renewed behind the
// lock.
//
// The parameters never change. A limiter whose parameters change gets another meter, and
// the old one stays slow.
type meter struct {
	params
	base    time.Time
	horizon uint64    // nanoseconds in which maxCapacity is repaid
	put     uint64    // the word when it became open; behind the lock
	_       [128]byte // the words change all the time, the parameters never
	seen    sched.Uint64
	word    sched.Uint64
	_       [112]byte
}

const slow = 1

// A result is the answer of a meter to a call.
type result int

const (
	deny result = iota
	allow
	slowPath // the answer is behind the lock
)

// renew replaces the meter, which knows the windows as they were. The state of a limiter with
// several windows or a parent, and that of a key, is behind the lock always.
func (l *Limiter) renew() {
	l.open = false
	if len(l.all) > 1 {
		return
	}
	m := &meter{params: l.windows[0].params, base: l.base, horizon: math.MaxInt64}
	if m.speed > 0 {
		m.horizon = maxCapacity / m.speed
	}
	m.word.Store(slow)
	l.meter.Store(m)
}

// take takes n permits, and returns the debt after that. It reads the clock after the
// word, so no grant in the word was made after that instant. More owed than the capacity is
// either reserved or means that the clock has gone back. With n = 0 it writes nothing.
func (m *meter) take(n uint64) (v result, debt uint64) {
	for m != nil {
		seen, word := m.seen.Load(), m.word.Load()
		if word&slow != 0 {
			break
		}
		since := uint64(time.Since(m.base))
		now := since * m.speed << 1
		debt := uint64(max(int64(word-now)>>1, 0))
		switch {
		case since-seen > m.horizon || debt > m.capacity:
			return slowPath, 0
		case m.cost == 0 || n == 0:
			return allow, debt
		case n > m.burst || debt+n*m.cost > m.capacity:
			return deny, debt
		}
		if debt += n * m.cost; m.word.CompareAndSwap(word, now+debt<<1) {
			return allow, debt
		}
	}
	return slowPath, 0
}
