//go:build points

package explore

import (
	"sync"
	"testing"

	"github.com/tandemgo/tandem/internal/goid"
)

// current returns the id of the stack trace.
func TestGoid(t *testing.T) {
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if current() != goid.Current() {
				t.Errorf("%d, want %d", current(), goid.Current())
			}
		})
	}
	wg.Wait()
	if getg() != nil && place == 0 {
		t.Error("the place has not been found")
	}
}
