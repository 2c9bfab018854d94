package peers

import (
	"sync"
	"testing"
	"time"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func init() { work.Add(work.Peer{Name: "mutex", Allow: mutexAllow}) }

// mutexAllow is a bucket written by hand under a mutex, since no channel has room for
// so many tokens.
func mutexAllow(_ testing.TB, granting bool) func() bool {
	var mu sync.Mutex
	tokens, last := 0.0, time.Now()
	if granting {
		tokens = manyPermits
	}
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		tokens += now.Sub(last).Hours()
		last = now
		if tokens < 1 {
			return false
		}
		tokens--
		return true
	}
}
