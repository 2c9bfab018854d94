package ratelimit

import "context"

// A Taker limits by key and answers at once. Package ratelimit/httplimit accepts any
// Taker. [Keyed] is one. A limiter that several processes share can be one, and may
// then wait for an answer until ctx ends.
type Taker[K comparable] interface {
	// Take takes n permits of k, all or none, and returns its decision. An error means
	// that no decision was made. If ctx has ended, it is the cause of ctx, and no permit is
	// taken. Take panics if n is less than 1 or ctx is nil.
	Take(ctx context.Context, k K, n int) (Decision, error)
}
