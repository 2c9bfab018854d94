package pipeline

import (
	"context"
	"sync/atomic"

	"github.com/tandemgo/tandem/internal/point"
)

// A bell wakes the goroutines that are parked on the links of a run when a context of it
// ends. So they need not park on the context as well.
type bell struct {
	// over is set when the context ends, or before: no function of a stage begins
	// from then on. It costs less to look at than the context. If it is the caller's
	// that ends, it is set a little later.
	over   atomic.Bool
	within []*bell // those of contexts that end with this one

	stop  func() bool // of the context.AfterFunc
	links []ringer
}

type ringer interface{ Ring() }

// A ringing is a function to be called when a context ends.
type ringing func()

func (fn ringing) Ring() { fn() }

// end says that the context ends now.
func (b *bell) end() {
	b.over.Store(true)
	for _, w := range b.within {
		w.end()
	}
}

// bell returns the bell of ctx. It is called before the goroutines of the run
// start.
func (r *run) bell(ctx context.Context) *bell {
	b := r.bells[ctx]
	if b == nil {
		if r.bells == nil {
			r.bells = map[context.Context]*bell{}
		}
		b = new(bell)
		r.bells[ctx] = b
	}
	return b
}

// add has the bell ring l.
func (b *bell) add(l ringer) { b.links = append(b.links, l) }

// hangBells has the bells ring as their contexts end, or at once. No link may change any
// more: a context may have ended already, and its bell must not look at a link to which a
// crew is yet to give its channels.
func (r *run) hangBells() {
	for ctx, b := range r.bells {
		r.tolls.Add(1)
		b.stop = context.AfterFunc(ctx, func() {
			defer r.tolls.Done()
			b.end()
			for _, l := range b.links {
				point.At("pipeline: before the bell rings")
				l.Ring()
			}
		})
	}
}
