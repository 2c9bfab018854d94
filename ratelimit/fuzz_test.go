package ratelimit_test

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/tandemgo/tandem/internal/testkit"
)

// FuzzLimiter is TestR1R5R7ExactlyTheOracle with scripts that a fuzzer writes:
// whatever one does to a limiter, in up to three bubbles, it does what exact
// rational arithmetic says.
func FuzzLimiter(f *testing.F) {
	f.Add([]byte{1, 9, 100, 8, 8, 0, 3, 2, 10, 50, 0, 1, 6, 2, 7, 0, 11, 200})
	f.Add([]byte{0, 2, 5, 1, 3, 1, 3, 0, 5, 1, 10, 9, 6, 1, 8, 0, 3, 4, 4, 9, 0, 2, 2, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		in := testkit.NewScript(b)
		s := &script{t: t, rnd: in, more: in.More, wait: map[int64]*scriptWaiter{}}
		if in.IntN(4) == 0 {
			s.make() // the bubbles are 26 years in its past
		}
		for range 3 {
			synctest.Test(t, s.run)
			if t.Failed() || !in.More() {
				return
			}
		}
	})
}

// A dice is a *rand.Rand, or a *testkit.Script.
type dice interface {
	IntN(n int) int
	Int64N(n int64) int64
}

// waiting returns who waits, first come first.
func (s *script) waiting() []int64 { return slices.Sorted(maps.Keys(s.wait)) }
