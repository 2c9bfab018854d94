package link

import (
	"sync"
	"time"
)

// A Clock adds up how long its users were at something: for each, between start
// and stop. A nil Clock does nothing.
type Clock struct {
	mu    sync.Mutex
	now   int           // how many are at it
	since time.Time     // when now has last changed
	total time.Duration // until then
	most  int           // that were at it at once
}

// Most returns how many were at it at once, at most.
func (c *Clock) Most() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.most
}

// Total returns the sum so far, of those too who are still at it.
func (c *Clock) Total() time.Duration {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(0)
	return c.total
}

func (c *Clock) start() { c.Turn(1) }
func (c *Clock) stop()  { c.Turn(-1) }

// Turn says that n more, or less, are at it from now on.
func (c *Clock) Turn(n int) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(n)
}

func (c *Clock) turn(n int) {
	t := time.Now()
	if c.now > 0 {
		c.total += time.Duration(c.now) * t.Sub(c.since)
	}
	c.now += n
	c.most = max(c.most, c.now)
	c.since = t
}
