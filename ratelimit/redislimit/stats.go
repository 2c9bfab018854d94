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

// Stats returns a snapshot. It looks at one shard after the other, and is consistent for
// each of them.
func (l *Limiter[K]) Stats() Stats {
	l.require("Stats")
	st := Stats{Calls: l.calls.Load(), Failures: l.failed.Load(), Foreign: l.foreign.Load()}
	l.breaker.mu.Lock()
	st.Breaker, st.Trips = l.breaker.state, l.breaker.trips
	l.breaker.mu.Unlock()
	for i := range l.shards {
		sh := &l.shards[i]
		sh.mu.Lock()
		st.add(&sh.stats)
		st.Keys += len(sh.entries)
		sh.mu.Unlock()
	}
	st.Asked = st.Granted + st.Denied + st.Errors
	if l.local != nil {
		st.Keys = max(st.Keys, l.local.Stats().Keys)
	}
	return st
}

// add adds the figures of a shard.
func (s *Stats) add(o *Stats) {
	s.Granted += o.Granted
	s.Denied += o.Denied
	s.Errors += o.Errors
	s.Local += o.Local
	s.Opened += o.Opened
	s.Leases += o.Leases
	s.Leased += o.Leased
	s.Expired += o.Expired
	s.FromLease += o.FromLease
	s.FromDenial += o.FromDenial
	s.Waiting += o.Waiting
}

// String returns text such as "100 granted, 3 denied, 0 errors, breaker closed, 0 waiting".
func (s Stats) String() string {
	return fmt.Sprintf("%d granted, %d denied, %d errors, breaker %v, %d waiting", s.Granted, s.Denied, s.Errors, s.Breaker, s.Waiting)
}
