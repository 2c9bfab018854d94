//go:build points

package explore

import (
	"sync"
	"testing"
)

// The number that is found quickly is that of the stack trace.
func TestGoid(t *testing.T) {
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if goid() != slowGoid() {
				t.Errorf("%d, want %d", goid(), slowGoid())
			}
		})
	}
	wg.Wait()
	if getg() != nil && place == 0 {
		t.Error("the place has not been found")
	}
}
