//go:build points

package sched

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
)

// chaos is nil without TANDEM_CHAOS.
var chaos = fromEnvironment()

// giveWay lets other goroutines run, at random, if there is chaos.
func giveWay() {
	if chaos != nil {
		chaos.stir()
	}
}

// An unrest makes goroutines give way before their operations, at random.
type unrest struct {
	yield func()
	state uint64
}

// fromEnvironment returns the unrest whose seed is in TANDEM_CHAOS, and prints it.
func fromEnvironment() *unrest {
	s := os.Getenv("TANDEM_CHAOS")
	if s == "" {
		return nil
	}
	seed := rand.Uint64()
	if s != "random" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			panic(fmt.Sprintf("sched: TANDEM_CHAOS=%q: must be a number, or random", s))
		}
	}
	fmt.Fprintf(os.Stderr, "TANDEM_CHAOS=%d\n", seed)
	return &unrest{yield: runtime.Gosched, state: seed}
}

// long is how many times a goroutine gives way in place of a sleep: enough for all
// others to come to where they wait, or to run for a good while. A real sleep would not
// do: time stands still in a bubble of testing/synctest, and tests look at it.
const long = 200

// stir gives way not at all, once, or for long.
func (u *unrest) stir() {
	times := 0
	switch n := u.draw() % 64; {
	case n == 0:
		times = long
	case n < 16:
		times = 1
	}
	for range times {
		u.yield()
	}
}

// draw returns the next number of SplitMix64 (G. Steele, D. Lea, C. Flood, Fast
// Splittable Pseudorandom Number Generators, OOPSLA 2014).
//
// It takes no lock and uses no atomic: either would order the goroutines that call
// it, and so hide from the race detector what chaos is to show. Two goroutines may draw
// the same number at once, which does no harm.
//
//go:norace
func (u *unrest) draw() uint64 {
	u.state += 0x9e3779b97f4a7c15
	z := u.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
