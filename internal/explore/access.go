//go:build points

package explore

import (
	"slices"

	"github.com/tandemgo/tandem/internal/sched"
)

// An access is a sched.Access with a number for the object.
type access struct {
	object int
	kind   sched.Kind
	first  bool // the object was not accessed before in this run
}

// access adds a to the present step. r.mu is held.
func (r *Run) access(a sched.Access) {
	if a.Object == nil && a.Kind != sched.Unknown {
		return
	}
	s := &r.steps[len(r.steps)-1]
	known := len(r.objects)
	n := r.object(a)
	s.accesses = append(s.accesses, access{n, a.Kind, n == known})
}

// know numbers the objects that are accessed during the setup of the program, in the
// same order in each run. r.mu is held.
func (r *Run) know(as []sched.Access) {
	for _, a := range as {
		if a.Object != nil {
			r.object(a)
		}
	}
}

func (r *Run) object(a sched.Access) int {
	n, ok := r.objects[a.Object]
	if !ok {
		n = len(r.objects)
		r.objects[a.Object] = n
	}
	return n
}

// ways returns the accesses of all ways of op. A way that is not taken only reads
// whether it is possible.
func (r *Run) ways(op *sched.Op) []access {
	all := make([]access, len(op.Ways))
	for way, a := range op.Ways {
		kind := a.Kind
		if op.Way >= 0 && way != op.Way {
			kind = sched.Read
		}
		all[way] = access{object: r.object(a), kind: kind}
	}
	return all
}

// dependent reports whether steps with these accesses do not commute.
func dependent(f, g []access) bool {
	return conflict(f, g, func(a, b sched.Kind) bool { return !shared(a) || !shared(b) })
}

// racing reports whether steps with these accesses do not commute and may both have
// been possible at the same time. While one goroutine could release a lock, no other
// one could acquire or release it.
func racing(f, g []access) bool {
	return conflict(f, g, func(a, b sched.Kind) bool {
		switch {
		case shared(a) && shared(b):
			return false
		case releases(a):
			return b == sched.Write || b == sched.Read
		case releases(b):
			return a == sched.Write || a == sched.Read
		}
		return true
	})
}

// shared reports whether two accesses of kind k commute.
func shared(k sched.Kind) bool {
	return k == sched.Read || k == sched.AcquireShared || k == sched.ReleaseShared
}

func releases(k sched.Kind) bool { return k == sched.Release || k == sched.ReleaseShared }

func conflict(f, g []access, kinds func(a, b sched.Kind) bool) bool {
	for _, a := range f {
		for _, b := range g {
			if a.kind == sched.Unknown || b.kind == sched.Unknown || a.object == b.object && kinds(a.kind, b.kind) {
				return true
			}
		}
	}
	return false
}

// discovers reports whether one of the accesses is the first access of its object. The
// number of such an object is valid only within its run.
func discovers(f []access) bool {
	return slices.ContainsFunc(f, func(a access) bool { return a.first })
}
