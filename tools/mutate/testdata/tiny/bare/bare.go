// Package bare has no tests.
package bare

// New returns a channel with room for one.
func New() chan int { return make(chan int, 1) }
