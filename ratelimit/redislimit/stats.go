package redislimit

// Stats says how a limiter is doing. Asked is the sum of Granted, Denied and Errors.
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

	Keys    int // of which this process knows something
	Waiting int // goroutines in Wait
}

// Stats returns how things are. It looks at one shard after the other.
func (l *Limiter[K]) Stats() Stats {
	st := Stats{Calls: l.calls.Load(), Failures: l.failed.Load(), Foreign: l.foreign.Load()}
	st.Breaker, st.Trips = l.breaker.state()
	for i := range l.shards {
		sh := &l.shards[i]
		sh.mu.Lock()
		c := &sh.stats
		st.Granted += c.granted
		st.Denied += c.denied
		st.Errors += c.errors
		st.Local += c.local
		st.Opened += c.opened
		st.Leases += c.leases
		st.Leased += c.leased
		st.Expired += c.expired
		st.FromLease += c.fromLease
		st.FromDenial += c.fromDenial
		st.Keys += len(sh.entries)
		st.Waiting += sh.waiting
		sh.mu.Unlock()
	}
	st.Asked = st.Granted + st.Denied + st.Errors
	return st
}
