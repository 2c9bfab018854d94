package redislimit

import (
	"time"

	"github.com/tandemgo/tandem/internal/shortlock"
)

// A shard is what this process knows of a part of the keys. mu guards all of it, and
// the entries.
type shard[K comparable] struct {
	mu      shortlock.Mutex
	entries map[K]*entry
	lines   map[K]*line // of those who wait
	waiting int
	stats   counters
	_       [64]byte
}

// counters are those of a shard.
type counters struct {
	granted, denied, errors              uint64
	local, opened, fromLease, fromDenial uint64
	leases, leased, expired              uint64
}

// An entry is what this process knows of a key. Who has found one may go on using it
// after it was dropped, which has no effect on others.
type entry struct {
	limits *limits
	owed   []amount // for FailLocal: what was granted in this process, by its share
	lease  lease
}

// sweepKeys is how many keys are looked at when one is added. More than one, so that
// a table is swept faster than it fills.
const sweepKeys = 4

func micros(d time.Duration) uint64 { return uint64(d / time.Microsecond) }

// entryLocked returns the entry of k, and makes one if there is room. If it is of other
// limits, another takes its place: as many permits are owed as before, and what was leased
// is not handed out any more, as it may be more than k may have now.
func (l *Limiter[K]) entryLocked(sh *shard[K], k K, p *limits, now time.Duration) *entry {
	if e := sh.entries[k]; e != nil && e.limits == p {
		return e
	} else if e != nil {
		sh.dropLocked(k, e)
		is := &entry{limits: p}
		if e.owed != nil {
			is.owed = p.local.inherit(e.limits.local, e.owed, micros(now))
		}
		sh.entries[k] = is
		return is
	}
	if sh.entries == nil {
		sh.entries = map[K]*entry{}
	}
	looked := 0
	for other, e := range sh.entries { // which begins anywhere
		if e.idle(now, l.ttl) {
			sh.dropLocked(other, e)
		}
		if looked++; looked == sweepKeys {
			break
		}
	}
	if len(sh.entries) >= l.perShard {
		return nil
	}
	e := &entry{limits: p}
	if l.policy == FailLocal {
		e.owed = make([]amount, len(p.windows))
	}
	sh.entries[k] = e
	return e
}

// idle reports whether an entry says nothing that a new one would not.
func (e *entry) idle(now, ttl time.Duration) bool {
	return e.lease.idle(now, ttl) && (e.owed == nil || e.limits.local.idle(e.owed, micros(now)))
}

func (sh *shard[K]) dropLocked(k K, e *entry) {
	sh.stats.expired += e.lease.held()
	e.lease.left, e.lease.next.left = 0, 0
	delete(sh.entries, k)
}

func (sh *shard[K]) countLocked(ok bool) {
	if ok {
		sh.stats.granted++
	} else {
		sh.stats.denied++
	}
}

// fails counts a call that returns err.
func (sh *shard[K]) fails(err error) error {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.stats.errors++
	return err
}
