package ratelimit

import "github.com/tandemgo/tandem/internal/misuse"

// An Option changes how [New] makes a limiter.
type Option func(*options)

type options struct{ spent int }

// WithSpent makes the limiter start as if n permits had just been granted. With
// all of the burst spent, the first window is no different from any other. The
// default is 0. It panics if n is negative; New panics if n is more than the
// burst.
func WithSpent(n int) Option {
	misuse.Negative(n, "ratelimit: WithSpent: number")
	return func(o *options) { o.spent = n }
}

// A KeyedOption changes how [NewKeyed] makes its limiters.
type KeyedOption func(*keyedOptions)

type keyedOptions struct {
	maxKeys int
	limits  any // of type func(K) (Rate, int)
}

// defaultMaxKeys takes some 60 MB with short strings as keys.
const defaultMaxKeys = 1 << 20

// WithMaxKeys bounds how many keys have a limiter of their own at once. What
// comes beyond shares limiters, until others are idle. The default is 1,048,576.
// It panics if n is less than 1.
func WithMaxKeys(n int) KeyedOption {
	misuse.Below(n, 1, "ratelimit: WithMaxKeys: number")
	return func(o *keyedOptions) { o.maxKeys = n }
}

// WithLimits gives each key a rate and a burst of its own. fn is called, on the
// goroutine that asks and with no lock held, when a key is new or comes back after
// it was forgotten; what it says then holds until the key is idle, that is until
// all of its burst is back. It must be fast and safe for concurrent use. WithLimits
// panics if fn is nil, NewKeyed if fn is for keys of another type.
func WithLimits[K comparable](fn func(K) (Rate, int)) KeyedOption {
	misuse.Nil(fn == nil, "ratelimit: WithLimits: function")
	return func(o *keyedOptions) { o.limits = fn }
}
