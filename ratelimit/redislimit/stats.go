package redislimit

import "fmt"

// Stats are the figures of a limiter. Asked is the sum of Granted, Denied and Errors.
type Stats struct {
	Asked   uint64 // calls of Take and Allow, and what callers of Wait have asked for
	Granted uint64
	Denied  uint64
	Errors  uint64 // calls that returned an error, not counting misuse

	Local  uint64 // of Asked, decided by FailLocal
	Opened uint64 // of Asked, decided by FailOpen

	Calls    uint64       // of Redis
	Failures uint64       // of Calls, not answered: each may have spent its permits all the same
	Foreign  uint64       // of Calls, for a key that holds something else
	Breaker  BreakerState // whether Redis is asked now
	Trips    uint64       // how often the breaker opened

	Leases     uint64 // how often permits were taken in advance
	Leased     uint64 // how many
	Expired    uint64 // of Leased, permits that were not used in time
	FromLease  uint64 // of Granted, without a call of Redis
	FromDenial uint64 // of Denied, without a call of Redis

	Keys    int // that this process keeps
	Waiting int // goroutines in Wait
}

// Stats returns a snapshot.
func (l *Limiter[K]) Stats() Stats {
	l.require("Stats")
	l.mu.Lock()
	st := l.stats
	st.Keys = len(l.leases)
	l.mu.Unlock()
	st.Asked = st.Granted + st.Denied + st.Errors
	l.breaker.report(&st)
	if l.local != nil {
		st.Keys = max(st.Keys, l.local.Stats().Keys)
	}
	return st
}

// countLocked counts a decision.
func (l *Limiter[K]) countLocked(ok bool) {
	if ok {
		l.stats.Granted++
	} else {
		l.stats.Denied++
	}
}

// fails counts a call that returns err.
func (l *Limiter[K]) fails(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Errors++
	return err
}

// String returns text such as "100 granted, 3 denied, 0 errors, breaker closed, 0 waiting".
func (s Stats) String() string {
	return fmt.Sprintf("%d granted, %d denied, %d errors, breaker %v, %d waiting", s.Granted, s.Denied, s.Errors, s.Breaker, s.Waiting)
}
