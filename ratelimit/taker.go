package ratelimit

import "context"

// A Taker limits by key, at once: it is what ratelimit/httplimit accepts. [Keyed]
// is one; a limiter that several machines share can be one too, and may take its
// time for that, under ctx.
type Taker[K comparable] interface {
	// Take takes n permits of k, all or none, and says what it has done. An error
	// means that it does not know: nothing was decided.
	Take(ctx context.Context, k K, n int) (Decision, error)
}
