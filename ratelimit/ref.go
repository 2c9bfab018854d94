package ratelimit

import (
	"hash/maphash"
	"time"

	"github.com/tandemgo/tandem/internal/misuse"
)

// A ref is a key, the shard of which is locked.
type ref[K comparable] struct {
	x    *Keyed[K]
	key  K
	hash uint32
	sh   *shard[K]
	slot *slot[K] // nil: the key is not kept
	plan *plan
	l    *Limiter // locked as well, if it is not nil
}

// lock locks the shard of k, and returns r. If known is set, a key without a slot has no plan.
// call is the method of the caller.
func (r *ref[K]) lock(x *Keyed[K], call string, k K, known bool) *ref[K] {
	if x.shards == nil {
		misuse.Zero(true, "ratelimit: "+call, "Keyed", keyedBy)
	}
	h := maphash.Comparable(x.seed, k)
	r.x, r.key, r.hash, r.sh, r.plan = x, k, uint32(h)|1, &x.shards[h>>x.shift], x.plan
	for {
		r.sh.mu.Lock()
		if i := r.sh.find(r.hash, k); i >= 0 && r.sh.slots[i].hash != 0 {
			r.slot, r.plan = &r.sh.slots[i], r.sh.slots[i].plan
		}
		if r.plan != nil || known {
			return r
		}
		r.sh.mu.Unlock()
		r.plan = x.planOf("NewKeyedFunc", x.windows(k))
	}
}

// unlock is the end of lock.
func (r *ref[K]) unlock() {
	if r.l != nil {
		r.release()
	}
	r.sh.mu.Unlock()
}

// release unlocks the limiter. It turns that of the key back into a debt if that is enough.
func (r *ref[K]) release() {
	l := r.l
	if p := r.plan; p.l == l && p.of.single && l.inLine+l.unsettled == 0 {
		r.slot.debt, r.slot.last, r.slot.plan = l.windows[0].debt, l.now-l.back, p.of
		l.gone = true
	}
	l.unlock()
}

// take reports whether n permits can be granted now, and takes them if it is to. It returns
// the debt after that, or leaves the limiter that has decided locked. A key gets a slot if it
// will owe something: a new key that is denied gets none.
func (r *ref[K]) take(n uint64, really bool) (debt uint64, ok bool) {
	p := r.plan
	owes := really && n <= p.burst && p.cost > 0 // if it is granted
	switch {
	case p.single && (r.slot != nil || !owes || r.keep()):
		if r.slot == nil {
			return 0, p.fits(0, n)
		}
		r.slot.advance(int64(time.Since(r.x.base)))
		if ok = p.fits(r.slot.debt, n); ok && really {
			r.slot.debt += n * p.cost
		}
		return r.slot.debt, ok
	case p.single:
		r.use(p.overflow)
	case p.l != nil:
		r.use(p.l)
	default:
		r.use(newLimiter(r.x.base, p.all, r.x.parent))
		if ok = r.l.take(n, false); !ok || !really {
			return 0, ok
		}
		r.l.unlock()
		r.limiter()
	}
	return 0, r.l.take(n, really)
}

// decision describes the answer of take.
func (r *ref[K]) decision(ok bool, debt, n uint64) Decision {
	if r.l != nil {
		return r.l.decision(ok, n)
	}
	return r.plan.decision(ok, debt, n)
}

// limiter returns the limiter of the key, locked. It makes one if there is none. If there is no
// place for the key, it shares one.
func (r *ref[K]) limiter() *Limiter {
	p, x, k := r.plan, r.x, r.key
	switch {
	case p.l != nil:
		return r.use(p.l)
	case !r.keep():
		return r.use(p.overflow)
	}
	l := newLimiter(x.base, p.all, x.parent)
	if p.single {
		l.now, l.windows[0].last, l.windows[0].debt = r.slot.last, r.slot.last, r.slot.debt
	}
	l.touch = func(permits int) { x.touch(k, permits) }
	r.plan = &plan{l: l, of: p}
	r.slot.plan = r.plan
	return r.use(l)
}

// use locks a limiter.
func (r *ref[K]) use(l *Limiter) *Limiter {
	r.l = l
	l.lock("")
	return l
}
