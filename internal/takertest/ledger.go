package takertest

import (
	"cmp"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"
)

// A Ledger has the permits granted for one key by any number of limiters together, and
// two instants between which each grant was made. It is safe for concurrent use.
type Ledger struct {
	start time.Time

	mu     sync.Mutex
	grants []grant
}

type grant struct {
	from, to time.Duration
	n        int
}

// NewLedger returns a ledger that begins now.
func NewLedger() *Ledger { return &Ledger{start: time.Now()} }

// Age returns the time since the ledger began.
func (l *Ledger) Age() time.Duration { return time.Since(l.start) }

// Note calls take, which requests n permits, and records them if they are granted.
func (l *Ledger) Note(n int, take func() bool) bool {
	from := l.Age()
	ok := take()
	to := l.Age()
	if ok {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.grants = append(l.grants, grant{from, to, n})
	}
	return ok
}

// Total returns how many permits were granted.
func (l *Ledger) Total() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, g := range l.grants {
		n += g.n
	}
	return n
}

// CheckWindows fails the test if a window holds more than
//
//	burst + permits/period · (length + ahead + slack(length))
//
// A window holds all grants that were certainly made after one began and before another
// ended. Only the first 3000 grants are checked.
func (l *Ledger) CheckWindows(t testing.TB, burst, permits int, period, ahead time.Duration, slack func(time.Duration) time.Duration) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.SortFunc(l.grants, func(a, b grant) int { return cmp.Compare(a.to, b.to) })
	grants := l.grants[:min(len(l.grants), 3000)]
	for _, first := range grants {
		sum := int64(0)
		for _, g := range grants {
			if g.from < first.from {
				continue
			}
			sum += int64(g.n)
			length := g.to - first.from
			allowed := length + ahead + slack(length)
			// sum ≤ burst + permits·allowed/period
			left := new(big.Int).Mul(big.NewInt(sum-int64(burst)), big.NewInt(int64(period)))
			right := new(big.Int).Mul(big.NewInt(int64(permits)), big.NewInt(int64(allowed)))
			if left.Cmp(right) > 0 {
				t.Fatalf("%d permits in %v, with a burst of %d and %d per %v", sum, length, burst, permits, period)
			}
		}
	}
}
