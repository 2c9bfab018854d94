package fan

import "github.com/tandemgo/tandem/internal/sched"

// A group counts goroutines, and one goroutine waits for them.
type group struct {
	n    sched.Uint64 // those that have not ended, and the one that waits
	gone chan struct{}
}

func newGroup() *group {
	g := &group{gone: make(chan struct{}, 1)}
	g.n.Store(1)
	return g
}

// start starts a goroutine that calls f.
func (g *group) start(f func()) {
	g.n.Add(1)
	go func() {
		defer g.done() // also if f ends it by a Goexit
		f()
	}()
}

func (g *group) done() {
	if g.n.Add(^uint64(0)) == 0 {
		sched.Signal(g.gone)
	}
}

// wait waits for the goroutines. It is called once.
func (g *group) wait() {
	g.done()
	sched.Park(g.gone)
}
