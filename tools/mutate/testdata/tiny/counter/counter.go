// Package counter is there to be mutated.
package counter

import "sync"

// A Counter counts, and says when it has changed.
type Counter struct {
	mu      sync.Mutex
	n       int
	changed chan int
}

// New returns a Counter.
func New() *Counter { return &Counter{changed: make(chan int, 1)} }

// Add adds d.
func (c *Counter) Add(d int) {
	c.mu.Lock()
	c.n += d
	c.mu.Unlock()
	select {
	case c.changed <- c.n:
	default:
	}
}

// Big reports whether c is at least 10.
func (c *Counter) Big() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n >= 10
}

// Await waits for a change.
func (c *Counter) Await() int { return <-c.changed }

// Close ends it.
func (c *Counter) Close() { close(c.changed) }
