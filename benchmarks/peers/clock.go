package peers

import (
	"testing"
	"time"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func init() { work.Add(work.Peer{Name: "clock", Allow: clockAllow}) }

// clockAllow is not a limiter: it does the minimum of every limiter.
func clockAllow(_ testing.TB, granting bool) func() bool {
	base := time.Now()
	return func() bool { return (time.Since(base) >= 0) == granting }
}
