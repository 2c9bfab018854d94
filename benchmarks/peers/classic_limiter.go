package peers

import (
	"testing"
	"time"

	"github.com/tandemgo/tandem/benchmarks/classic"
)

// classicAllow supports only denials for the length of a benchmark: it has no more
// tokens than its channel has room.
func classicAllow(tb testing.TB, granting bool) func() bool {
	if granting {
		return nil
	}
	l := classic.NewLimiter(1, time.Hour)
	tb.Cleanup(l.Close)
	l.Allow()
	return l.Allow
}
