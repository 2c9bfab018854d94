package peers

import (
	"testing"
	"time"

	"github.com/juju/ratelimit"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func init() {
	work.Add(work.Peer{Name: "juju", Module: "github.com/juju/ratelimit", Allow: jujuAllow})
}

func jujuAllow(_ testing.TB, granting bool) func() bool {
	b := ratelimit.NewBucket(time.Nanosecond, manyPermits)
	if !granting {
		b = ratelimit.NewBucket(time.Hour, 1)
		b.TakeAvailable(1)
	}
	return func() bool { return b.TakeAvailable(1) == 1 }
}
