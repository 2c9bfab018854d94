package redislimit

import (
	"sync"
	"time"
)

// A shard is the state of a part of the keys. mu guards all of it, and
// the entries.
type shard[K comparable] struct {
	mu      sync.Mutex
	entries map[K]*entry
	lines   map[K]*line // of callers that wait
	stats   Stats       // of this shard
	_       [64]byte
}

// An entry is the lease of a key. A caller that has found one may
// go on using it after it was dropped, which has no effect on others.
type entry struct {
	said   *limits // of this process
	limits *limits // said, or those that were set
	lease  lease
}

// sweepKeys is how many keys are looked at when one is added. More than one, so that
// a table is swept faster than it fills.
const sweepKeys = 4

func micros(d time.Duration) uint64 { return uint64(d / time.Microsecond) }

// entryLocked returns the entry of k, and makes one if there is room. If it is of other
// limits, another takes its place, and the rest of the lease is not handed out any more, as it
// may be more than k may have now.
func (l *Limiter[K]) entryLocked(sh *shard[K], k K, p *limits, now time.Duration) *entry {
	e := sh.entries[k]
	if e != nil && e.said == p {
		return e
	}
	if e != nil {
		sh.dropLocked(k, e)
	} else if sh.entries == nil {
		sh.entries = map[K]*entry{}
	}
	looked := 0
	for other, e := range sh.entries { // which begins anywhere
		if e.lease.idle(now, l.ttl) {
			sh.dropLocked(other, e)
		}
		if looked++; looked == sweepKeys {
			break
		}
	}
	if len(sh.entries) >= l.perShard {
		return nil
	}
	e = &entry{said: p, limits: p}
	sh.entries[k] = e
	return e
}

func (sh *shard[K]) dropLocked(k K, e *entry) {
	sh.stats.Expired += e.lease.left
	e.lease.left = 0
	delete(sh.entries, k)
}

func (sh *shard[K]) countLocked(ok bool) {
	if ok {
		sh.stats.Granted++
	} else {
		sh.stats.Denied++
	}
}

// fails counts a call that returns err.
func (sh *shard[K]) fails(err error) error {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.stats.Errors++
	return err
}
