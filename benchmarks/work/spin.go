package work

import (
	"math"
	"sync"
	"time"
)

// Spin keeps a processor busy for a number of rounds of arithmetic, xorshift. It does
// not read the clock, which would cost more than a short task. It always returns true,
// since only the seed 0 leads to 0; the compiler cannot know that.
//
//go:noinline
func Spin(seed, rounds int) bool {
	x := uint64(seed) | 1
	for range rounds {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x != 0
}

// SpinRounds returns the number of rounds of Spin that take d.
func SpinRounds(d time.Duration) int { return max(1, int(float64(d)/roundTime())) }

// roundTime is the time of one round of Spin in nanoseconds: the minimum of several
// trials, which are so short that some are not interrupted. It is measured once, so all
// libraries get the same tasks.
var roundTime = sync.OnceValue(func() float64 {
	const rounds = 20_000
	least := time.Duration(math.MaxInt64)
	for trial := range 20 {
		start := time.Now()
		Spin(trial, rounds) //lint:ignore SA4017 called for the time it takes
		least = min(least, time.Since(start))
	}
	return float64(least) / rounds
})
