package ratelimit

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// R1, R6: what has been replaced can't be used by who found it before: that takes a
// goroutine that sleeps between two instructions, so these tests look inside.

// R1: after SetRate, the word of the old rate grants nothing.
func TestR1AWordThatIsReplacedIsHeld(t *testing.T) {
	l := New(Every(time.Hour), 10)
	m := l.meter.Load()
	l.SetRate(Every(time.Minute))
	if v, _, _ := m.take(1); v != unsure {
		t.Errorf("the old word says %d", v)
	}
	if v, _, _ := l.meter.Load().take(1); v != granted {
		t.Errorf("the new word says %d", v)
	}
}

// R2: nor does one at which somebody waited go on saying no.
func TestR2AWordThatIsReplacedDeniesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Every(time.Hour), 1, WithSpent(1))
		done := make(chan error)
		go func() { done <- l.Wait(t.Context()) }()
		synctest.Wait()
		m := l.meter.Load()
		l.SetRate(Unlimited)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if v, _, _ := m.take(1); v != unsure {
			t.Errorf("the old word says %d", v)
		}
	})
}

// R3, R6: while somebody waits, the word says so, and nobody needs the lock to be
// told no; when nobody does any more, it says no to nobody, though more is owed
// than fits in it.
func TestR6AWordIsShutWhileSomebodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Every(time.Hour), 10, WithSpent(10))
		l.SetBurst(1)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Wait(ctx) }()
		synctest.Wait()
		if v, _, _ := l.meter.Load().take(1); v != denied {
			t.Errorf("somebody waits, and the word says %d", v)
		}
		cancel()
		if err := <-done; err != context.Canceled {
			t.Error(err)
		}
		if l.Allow() {
			t.Error("ten are owed, and one is granted")
		}
		time.Sleep(10 * time.Hour)
		if !l.Allow() {
			t.Error("nothing is owed, and one is denied")
		}
	})
}

// R6: keys of the same limit share what is known of it.
func TestR6PlansAreShared(t *testing.T) {
	x := NewKeyed[int](Every(1), 1, WithLimits(func(k int) (Rate, int) { return Every(time.Second), 1 + k%2 }))
	if a, b, c := x.planOf(2), x.planOf(3), x.planOf(4); a != c || a == b {
		t.Errorf("plans %p, %p and %p for limits of which the first and the last are the same", a, b, c)
	}
}

// R6: neither does that of a key which was forgotten or evicted, or moved to
// another table.
func TestR6AWordThatIsRemovedIsDead(t *testing.T) {
	x := NewKeyed[int](Every(time.Hour), 10, WithMaxKeys(1))
	sh := &x.shards[0]
	slotOf := func(k int) (*table[int], *slot[int]) {
		x.Allow(k)
		t := sh.table.Load()
		return t, t.find(x.hash(k), k)
	}
	unusable := func(what string, tb *table[int], s *slot[int]) {
		t.Helper()
		if v, _, _ := s.plan.attempt(&s.word, &tb.clock, 1); v != unsure {
			t.Errorf("%s: the old word says %d", what, v)
		}
	}
	tb, s := slotOf(1)
	sh.mu.Lock()
	x.rebuildLocked(sh)
	sh.mu.Unlock()
	unusable("moved", tb, s)

	tb, s = slotOf(1)
	x.Forget(1)
	unusable("forgotten", tb, s)

	tb, s = slotOf(2)
	sh.mu.Lock()
	sh.sweepLocked(time.Since(x.base)+24*time.Hour, len(tb.slots), &x.keys)
	sh.mu.Unlock()
	unusable("evicted", tb, s)
}

// R1: whoever has read the clock long ago, and comes late, neither turns the word
// back nor mints a permit. The clocks of this test lag behind by as much as they
// like, in any order; a grant counts as of its reading, which lies within its call.
func TestFaultFR1ClockReadingsComeLate(t *testing.T) {
	const burst, interval = 5, time.Second
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 9))
			base := time.Now()
			time.Sleep(time.Hour)
			m := New(Every(interval), burst).meter.Load() // whose units are nanoseconds
			m.word.Store(0)                               // nothing is owed, as of base
			var grants []time.Duration
			for range 2000 {
				late := clock{base: base}
				if rnd.IntN(3) == 0 {
					late.epoch = time.Duration(rnd.Int64N(int64(20 * interval)))
				}
				if v, _, now := m.attempt(&m.word, &late, 1); v == granted {
					grants = append(grants, time.Duration(now))
				}
				time.Sleep(time.Duration(rnd.IntN(int(interval / 3))))
			}
			slices.Sort(grants)
			for i, from := range grants {
				for j, to := range grants[i:] {
					if most := burst + int((to-from)/interval); j+1 > most {
						t.Fatalf("%d permits in %v, want %d at most", j+1, to-from, most)
					}
				}
			}
			if len(grants) < 200 {
				t.Errorf("only %d grants: the test shows little", len(grants))
			}
		})
	}
}
