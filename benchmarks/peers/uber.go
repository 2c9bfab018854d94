package peers

import (
	"testing"

	"go.uber.org/ratelimit"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func init() {
	work.Add(work.Peer{Name: "uber", Module: "go.uber.org/ratelimit", Allow: uberAllow})
}

// uberAllow uses a rate at which it need not wait, since uber can only wait.
func uberAllow(_ testing.TB, granting bool) func() bool {
	if !granting {
		return nil
	}
	l := ratelimit.New(1e9)
	return func() bool { l.Take(); return true }
}
