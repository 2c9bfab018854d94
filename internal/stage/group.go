package stage

import "github.com/tandemgo/tandem/internal/sched"

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
	g.Add()
	go func() {
		defer g.Done() // also if f ends it by a Goexit
		f()
	}()
}

// Add adds a goroutine.
func (g *Group) Add() { g.n.Add(1) }

// Done notes that a goroutine has ended.
func (g *Group) Done() {
	if g.n.Add(^uint64(0)) == 0 {
		sched.Signal(g.gone)
	}
}

// Wait waits until no goroutine is left.
func (g *Group) Wait() {
	g.Done()
	sched.Park(g.gone)
	g.n.Store(1)
}
