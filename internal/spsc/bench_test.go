package spsc_test

import (
	"testing"

	"github.com/tandemgo/tandem/internal/spsc"
)

// BenchmarkRing sends items over one ring.
func BenchmarkRing(b *testing.B) {
	l := spsc.Adaptive[int](spsc.Base)
	n := 0
	go func() {
		for b.Loop() {
			_ = l.Push(b.Context(), 1)
			n++
		}
		l.Close()
	}()
	got := 0
	for {
		if _, ok, _ := l.Pop(b.Context()); !ok {
			break
		}
		got++
	}
	if got != n {
		b.Fatalf("%d of %d received", got, n)
	}
}
