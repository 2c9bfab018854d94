package parks_test

import (
	"runtime"
	"sync"
	"testing"

	"github.com/tandemgo/tandem/benchmarks/internal/parks"
)

// Two goroutines that hand a value to and fro park once for each hand-over, and
// the one that is waited for at the end once.
func TestCountsAWaitForEachHandOver(t *testing.T) {
	const rounds = 5000
	n, err := parks.Count(func() {
		ping, pong := make(chan int), make(chan int)
		var wg sync.WaitGroup
		wg.Go(func() {
			for v := range ping {
				pong <- v
			}
		})
		for v := range rounds {
			ping <- v
			<-pong
		}
		close(ping)
		wg.Wait()
	})
	if err != nil || n < rounds || n > 4*rounds+100 {
		t.Errorf("%d parks in %d rounds, error %v", n, rounds, err)
	}
}

// Work that never waits has none, whatever the collector does meanwhile.
func TestCountsNothingWhereNobodyWaits(t *testing.T) {
	var kept [][]byte
	n, err := parks.Count(func() {
		for range 1000 {
			kept = append(kept, make([]byte, 100_000))
			if len(kept) > 10 {
				kept = kept[:0]
			}
		}
		runtime.Gosched()
	})
	if err != nil || n > 5 {
		t.Errorf("%d parks, error %v", n, err)
	}
}

// A trace that runs already is not taken over.
func TestTellsOfATraceThatRuns(t *testing.T) {
	var inner error
	if _, err := parks.Count(func() { _, inner = parks.Count(func() {}) }); err != nil {
		t.Error(err)
	}
	if inner == nil {
		t.Error("no error")
	}
}
