package peers

import (
	"context"
	"testing"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

// manyPermits is a burst that no benchmark uses up.
const manyPermits = 1 << 50

func tandemAllow(_ testing.TB, granting bool) func() bool {
	if granting {
		return ratelimit.New(ratelimit.Per(1e9, time.Second), manyPermits).Allow
	}
	return ratelimit.New(ratelimit.Every(time.Hour), 1, ratelimit.WithSpent(1)).Allow
}

func tandemReserve(testing.TB, bool) func() bool {
	l := ratelimit.New(ratelimit.Per(1e9, time.Second), manyPermits)
	return func() bool { return l.Reserve().Delay() == 0 }
}

func tandemWait(perSecond, burst int) func(context.Context) error {
	return ratelimit.New(ratelimit.Per(perSecond, time.Second), burst, ratelimit.WithSpent(burst)).Wait
}

func tandemKeyed(testing.TB) func(string) bool {
	return ratelimit.NewKeyed[string](ratelimit.Every(time.Minute), 1<<24).Allow
}
