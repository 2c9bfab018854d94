package testkit_test

import (
	"math"
	"testing"

	"github.com/tandemgo/tandem/internal/testkit"
)

// A script returns the same values each time, within bounds, and 0 at its end.
func TestScript(t *testing.T) {
	s := testkit.NewScript([]byte{7, 255, 1, 2, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	for i, want := range []int64{7, 255, 1, 0x0201} {
		n := []int64{10, 256, 2, 1 << 16}[i]
		if got := s.Int64N(n); got != want {
			t.Errorf("number %d: %d, want %d", i, got, want)
		}
	}
	if got := s.Int64N(math.MaxInt64); got != 0x0102030405060708 {
		t.Errorf("eight bytes: %#x", got)
	}
	for s.More() {
		s.Bool()
	}
	if s.IntN(1000) != 0 || s.Bool() {
		t.Error("the end is not 0")
	}
	if long := testkit.NewScript(make([]byte, 1<<20)); !long.More() {
		t.Error("a long script is empty")
	}
}
