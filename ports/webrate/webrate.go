// Package webrate has the types that both shapes of the rate limiter share.
package webrate

import (
	"net/http"
	"time"

	"github.com/redis/go-redis/v9"
)

// A Config sets a limit: on average so many requests a period, for each source.
type Config struct {
	Name    string // of the middleware
	Average int64  // 0 means no limit
	Period  time.Duration
	Burst   int64
	Redis   redis.UniversalClient // nil means in memory
	Source  func(*http.Request) (string, error)
}

// MaxSources is how many sources are kept in memory.
const MaxSources = 65536

// MaxDelay returns how long a request waits for its permit at most: half of the time between
// two of them, at most half a second.
func (c Config) MaxDelay() time.Duration {
	if c.Average == 0 {
		return 0
	}
	return min(c.Period/time.Duration(2*c.Average), 500*time.Millisecond)
}
