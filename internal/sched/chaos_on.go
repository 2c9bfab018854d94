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

// giveWay yields to other goroutines at random if chaos is set.
func giveWay() {
	if chaos != nil {
		chaos.maybeYield()
	}
}

// A randomYield makes goroutines yield at random before their operations.
type randomYield struct {
	yield func()
	state uint64
}

// fromEnvironment returns the randomYield with the seed in TANDEM_CHAOS, and prints the
// seed.
func fromEnvironment() *randomYield {
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
	return &randomYield{yield: runtime.Gosched, state: seed}
}

// long is how many times a goroutine yields in place of a sleep: enough for all others
// to block or to run for long. A real sleep would not work: time stands still in a
// bubble of testing/synctest, and tests check the time.
const long = 200

// maybeYield yields zero times, once, or long times.
func (r *randomYield) maybeYield() {
	times := 0
	switch n := r.draw() % 64; {
	case n == 0:
		times = long
	case n < 16:
		times = 1
	}
	for range times {
		r.yield()
	}
}

// draw returns the next number of SplitMix64 (G. Steele, D. Lea, C. Flood, Fast
// Splittable Pseudorandom Number Generators, OOPSLA 2014).
//
// It uses no lock and no atomic, since either would order the goroutines that call it
// and hide races from the race detector. Two goroutines may draw the same number, which
// is harmless.
//
//go:norace
func (r *randomYield) draw() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
