package stage

import (
	"time"

	"github.com/tandemgo/tandem/internal/sched"
)

// A Clock adds up how long goroutines were at something: for each, between Turn(1) and
// Turn(-1). A nil Clock does nothing.
type Clock struct {
	mu    sched.Mutex
	now   int           // how many are at it
	since time.Time     // when now has last changed
	total time.Duration // until then
	most  int           // the largest value of now
}

// Most returns how many goroutines were at it at once, at most.
func (c *Clock) Most() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.most
}

// Total returns the sum so far, for goroutines that are still at it, too.
func (c *Clock) Total() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(0)
	return c.total
}

// Turn notes that n more goroutines, or fewer, are at it from now on.
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
