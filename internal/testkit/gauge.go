package testkit

import "sync/atomic"

// A Gauge counts the callers between Enter and Leave, and records the maximum. The zero
// value is ready. It is safe for concurrent use.
type Gauge struct{ now, most atomic.Int64 }

// Enter adds the caller and returns the present count.
func (g *Gauge) Enter() int {
	n := g.now.Add(1)
	for {
		most := g.most.Load()
		if n <= most || g.most.CompareAndSwap(most, n) {
			return int(n)
		}
	}
}

// Leave removes the caller.
func (g *Gauge) Leave() { g.now.Add(-1) }

// Now returns the present count.
func (g *Gauge) Now() int { return int(g.now.Load()) }

// Most returns the largest count so far.
func (g *Gauge) Most() int { return int(g.most.Load()) }
