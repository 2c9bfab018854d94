package testkit

import (
	"sync/atomic"
	"testing"
)

// A Ledger counts how often each of the ids 0 … n-1 was seen. It is safe for
// concurrent use.
type Ledger struct{ seen []atomic.Int32 }

// NewLedger returns a ledger for the ids 0 … n-1.
func NewLedger(n int) *Ledger { return &Ledger{seen: make([]atomic.Int32, n)} }

// Note records that id was seen.
func (l *Ledger) Note(id int) { l.seen[id].Add(1) }

// Seen returns how often id was seen.
func (l *Ledger) Seen(id int) int { return int(l.seen[id].Load()) }

// Total returns the number of notes.
func (l *Ledger) Total() (n int) {
	for i := range l.seen {
		n += int(l.seen[i].Load())
	}
	return n
}

// ExactlyOnce fails the test for every id that was not seen once.
func (l *Ledger) ExactlyOnce(t testing.TB) {
	t.Helper()
	l.check(t, "exactly once", func(n int) bool { return n == 1 })
}

// AtMostOnce fails the test for every id that was seen twice or more.
func (l *Ledger) AtMostOnce(t testing.TB) {
	t.Helper()
	l.check(t, "at most once", func(n int) bool { return n <= 1 })
}

func (l *Ledger) check(t testing.TB, law string, ok func(int) bool) {
	t.Helper()
	bad := 0
	for id := range l.seen {
		if n := l.Seen(id); !ok(n) {
			if bad++; bad <= 5 {
				t.Errorf("id %d seen %d times, want %s", id, n, law)
			}
		}
	}
	if bad > 5 {
		t.Errorf("… and %d ids more", bad-5)
	}
}
