package stage

import (
	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/sched"
)

// A Group counts goroutines, and one goroutine at a time waits for them. Make one with
// NewGroup.
type Group struct {
	n    sched.Uint64 // goroutines that have not ended, and one
	gone chan struct{}
}

// NewGroup returns a group of no goroutines.
func NewGroup() *Group {
	g := &Group{gone: make(chan struct{}, 1)}
	g.n.Store(1)
	return g
}

// Go starts a goroutine that calls f.
func (g *Group) Go(f func()) {
	g.n.Add(1)
	go func() {
		defer g.done() // also if f ends it by a Goexit
		f()
	}()
}

// Spawn starts a goroutine that calls loop, and another one in its place whenever user code
// ends it by a Goexit: loop keeps its state outside.
func (g *Group) Spawn(loop func()) {
	g.n.Add(1)
	outcome.Spawn(loop, g.done)
}

func (g *Group) done() {
	if g.n.Add(^uint64(0)) == 0 {
		sched.Signal(g.gone)
	}
}

// Wait waits until no goroutine is left.
func (g *Group) Wait() {
	g.done()
	sched.Park(g.gone)
	g.n.Store(1)
}
