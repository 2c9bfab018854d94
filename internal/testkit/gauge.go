package testkit

import "sync/atomic"

// A Gauge counts how many callers are between Enter and Leave, and remembers
// the most there ever were. The zero value is ready. It is safe for concurrent
// use.
type Gauge struct{ now, most atomic.Int64 }

// Enter counts the caller in and returns how many are in now.
func (g *Gauge) Enter() int {
	n := g.now.Add(1)
	for {
		most := g.most.Load()
		if n <= most || g.most.CompareAndSwap(most, n) {
			return int(n)
		}
	}
}

// Leave counts the caller out.
func (g *Gauge) Leave() { g.now.Add(-1) }

// Now returns how many are in.
func (g *Gauge) Now() int { return int(g.now.Load()) }

// Most returns the most that were in at once.
func (g *Gauge) Most() int { return int(g.most.Load()) }
