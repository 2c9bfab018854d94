package ratelimit

import "time"

// A meter is the part of a limiter that works without a lock: a word, and what
// never changes of it. A limiter whose plan or epoch changes gets another one,
// and the word of the old one stays held for ever, so that whoever has read a
// plan can't use it on a word that belongs to another.
type meter struct {
	plan
	clock
	_ [128]byte // the word changes all the time; what is above never does
	word
	_ [120]byte
}

// newMeter returns one that is held.
func newMeter(p plan, base time.Time, epoch time.Duration) *meter {
	m := &meter{plan: p, clock: clock{base, epoch}}
	m.word.Store(held)
	return m
}

func (m *meter) take(n uint64) (v verdict, tat, now uint64) {
	return m.attempt(&m.word, &m.clock, n)
}

// put publishes the state of b, and reports false if the word can't hold it.
func (m *meter) put(b *bucket) (value uint64, ok bool) {
	since := uint64(b.last - m.epoch)
	if !m.fits || since > m.span || b.debt.hi > 0 || b.debt.lo > m.capacity {
		return 0, false
	}
	value = (since*m.permits + b.debt.lo) << timeBit
	m.word.Store(value)
	return value, true
}

// get moves b to now and to what the word says; limit is the most that can have
// been owed at any time before now, as far as is known. More than that means that
// the clock has gone back.
func (m *meter) get(b *bucket, limit u128, now time.Duration) {
	b.last = now
	if m.unlimited {
		return
	}
	tat := u128{0, m.word.Load() >> timeBit}
	if now < m.epoch {
		tat = tat.add(mul(uint64(m.epoch-now), m.permits))
	} else {
		tat = tat.sub(mul(uint64(now-m.epoch), m.permits))
	}
	b.debt = tat.least(limit)
}
