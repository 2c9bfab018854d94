package ratelimit

import (
	"fmt"
	"strings"
)

// Stats is a snapshot of a [Limiter].
type Stats struct {
	Owed    int    // permits that have not come back yet, with those that are reserved, rounded up
	Waiting int    // callers that wait
	Waits   uint64 // calls that have had to wait, ever
	Closed  bool   // whether Close was called
}

// Stats returns a consistent snapshot. Owed is that of the window that owes most. It costs
// a lock.
func (l *Limiter) Stats() Stats {
	l.lock("Stats")
	defer l.unlock()
	st := Stats{Waits: l.waits, Closed: l.closed}
	for c := range l.root.claims.All() {
		if c.wake != nil && c.waitsAt(l) {
			st.Waiting++
		}
	}
	for _, w := range l.windows {
		cost := max(w.cost, 1)
		st.Owed = max(st.Owed, int((w.debt+cost-1)/cost))
	}
	return st
}

// String returns text such as "3 permits owed, 0 waiting".
func (s Stats) String() string {
	text := fmt.Sprintf("%d permits owed, %d waiting, %d waits", s.Owed, s.Waiting, s.Waits)
	if s.Closed {
		text += ", closed"
	}
	return text
}

// String returns text such as "10 per 1s with a burst of 5".
func (l *Limiter) String() string {
	l.lock("String")
	defer l.unlock()
	var texts []string
	for _, w := range l.windows {
		texts = append(texts, fmt.Sprintf("%v with a burst of %d", w.Rate, w.Burst))
	}
	return strings.Join(texts, ", ")
}

// KeyedStats is a snapshot of a [Keyed].
type KeyedStats struct {
	Keys      int    // keys that are kept
	Waiting   int    // callers that wait
	Granted   uint64 // calls that were granted without a wait
	Denied    uint64 // calls that were denied, those that try before they wait included
	Waits     uint64 // calls that have had to wait
	Evicted   uint64 // keys that were dropped when they owed nothing
	Forgotten uint64 // keys that were dropped at the maximum although they owed something
	Shared    uint64 // calls for keys that had to share a limiter
}

// String returns text such as "12 keys, 100 granted, 3 denied".
func (s KeyedStats) String() string {
	return fmt.Sprintf("%d keys, %d waiting, %d granted, %d denied, %d waits, %d evicted, %d forgotten, %d shared",
		s.Keys, s.Waiting, s.Granted, s.Denied, s.Waits, s.Evicted, s.Forgotten, s.Shared)
}

func (s *KeyedStats) count(ok bool) {
	if ok {
		s.Granted++
	} else {
		s.Denied++
	}
}

// add adds the figures of a shard with so many keys.
func (s *KeyedStats) add(o *KeyedStats, keys int) {
	s.Keys += keys
	s.Waiting += o.Waiting
	s.Granted += o.Granted
	s.Denied += o.Denied
	s.Waits += o.Waits
	s.Evicted += o.Evicted
	s.Forgotten += o.Forgotten
	s.Shared += o.Shared
}
