package benchmarks_test

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/tandemgo/tandem/benchmarks/work"
	"github.com/tandemgo/tandem/ratelimit"
)

// growLimiter takes n permits of one limiter from 8 goroutines.
func growLimiter(b *testing.B, n, rounds int) func(held func()) {
	return func(held func()) {
		l := ratelimit.New(ratelimit.Per(1e9, time.Second), 1<<50)
		claimAll(b, n, rounds, func(int) bool { return l.Allow() })
		held()
		runtime.KeepAlive(l)
	}
}

// growKeyed takes a permit of each of n new keys from 8 goroutines. The number of
// shards does not depend on n.
func growKeyed(b *testing.B, n, rounds int) func(held func()) {
	most := itemCounts[len(itemCounts)-1]
	return func(held func()) {
		l := ratelimit.NewKeyed[int](ratelimit.Every(time.Minute), 1<<24, ratelimit.WithMaxKeys(most))
		claimAll(b, n, rounds, l.Allow)
		if got := l.Stats(); got.Keys != n || got.Shared != 0 {
			b.Fatalf("%d keys, %d claims shared; want %d keys", got.Keys, got.Shared, n)
		}
		held()
		runtime.KeepAlive(l)
	}
}

// claimAll calls allow for 0 to n-1, from 8 goroutines.
func claimAll(b *testing.B, n, rounds int, allow func(int) bool) {
	b.Helper()
	plusOne := plusOneOf(rounds)
	total := new(sharedSum)
	var wg sync.WaitGroup
	for first := range work.Workers {
		wg.Go(func() {
			sum := 0
			for i := first; i < n; i += work.Workers {
				if v := plusOne(i); allow(i) {
					sum += v
				}
			}
			total.Add(int64(sum))
		})
	}
	wg.Wait()
	checkSum(b, int(total.Load()), n)
}
