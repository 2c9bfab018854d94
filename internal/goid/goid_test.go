package goid_test

import (
	"sync"
	"testing"

	"github.com/tandemgo/tandem/internal/goid"
	"github.com/tandemgo/tandem/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// Goroutines that live at once have different numbers, and keep them.
func TestCurrent(t *testing.T) {
	const n = 100
	var ids [n]uint64
	var all, met sync.WaitGroup
	met.Add(n)
	for i := range n {
		all.Go(func() {
			ids[i] = goid.Current()
			met.Done()
			met.Wait()
			if again := goid.Current(); again != ids[i] {
				t.Errorf("%d was %d", again, ids[i])
			}
		})
	}
	all.Wait()
	seen := map[uint64]bool{0: true}
	for _, id := range ids {
		if seen[id] {
			t.Errorf("%d is the number of two, or of none", id)
		}
		seen[id] = true
	}
}
