package pipeline

import (
	"context"
	"sync"

	"github.com/tandemgo/tandem/internal/point"
)

// A bell wakes those who are parked on the links of a run when a context of it
// ends. So they need not park on the context as well.
type bell struct {
	stop func() bool // of the context.AfterFunc

	mu    sync.Mutex
	links []ringer
}

type ringer interface{ Ring() }

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
		r.tolls.Add(1)
		b.stop = context.AfterFunc(ctx, func() {
			defer r.tolls.Done()
			b.mu.Lock()
			links := b.links
			b.mu.Unlock()
			for _, l := range links {
				point.At("pipeline: before the bell rings")
				l.Ring()
			}
		})
	}
	return b
}

// add has the bell ring l. If ctx has ended already, nobody parks on it.
func (b *bell) add(l ringer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.links = append(b.links, l)
}
