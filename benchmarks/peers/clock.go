package peers

import (
	"testing"
	"time"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func init() { work.Add(work.Peer{Name: "clock", Allow: clockAllow}) }

// clockAllow is no limiter: it is what every limiter has to do at least.
func clockAllow(_ testing.TB, granting bool) func() bool {
	base := time.Now()
	return func() bool { return (time.Since(base) >= 0) == granting }
}
