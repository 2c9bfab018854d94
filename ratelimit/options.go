package ratelimit

import "github.com/tandemgo/tandem/internal/misuse"

// An Option changes how [New] makes a limiter. A nil Option is ignored.
type Option interface{ forLimiter(*options) }

// A KeyedOption changes how [NewKeyed] and [NewKeyedFunc] make their limiters. A nil
// KeyedOption is ignored.
type KeyedOption interface{ forKeyed(*options) }

// A LimitOption is an [Option] and a [KeyedOption].
type LimitOption interface {
	Option
	KeyedOption
}

type options struct {
	spent   int
	windows []Window
	parent  *Limiter
	maxKeys int
}

// A setting is any of them: the interface says where it fits.
type setting func(*options)

func (f setting) forLimiter(o *options) { f(o) }
func (f setting) forKeyed(o *options)   { f(o) }

// WithWindow adds a further limit, such as 1,000 an hour besides 10 a second. Permits are
// granted by all windows, or spent on none. It can be given several times. New panics if
// the rate and the burst are out of range.
func WithWindow(rate Rate, burst int) LimitOption {
	newParams("WithWindow", Window{rate, burst})
	return setting(func(o *options) { o.windows = append(o.windows, Window{rate, burst}) })
}

// WithParent makes every grant need permits of l as well: one limit per tenant, and one
// for all tenants together. Permits are granted by both, or spent on neither. A parent
// may have a parent. A caller that waits first waits at its own limiter, and then at the
// parent, in front of those that came after it. WithParent panics if l is nil.
func WithParent(l *Limiter) LimitOption {
	misuse.Nil(l == nil, "ratelimit: WithParent: limiter")
	misuse.Zero(l.root == nil, "ratelimit: WithParent", "Limiter", "New")
	return setting(func(o *options) { o.parent = l })
}

// WithSpent makes a limiter start as if n permits had just been granted. With all of the
// burst spent, the first period grants no more than any other. The default is 0. WithSpent
// panics if n is negative; New panics if n is more than the burst of a window.
func WithSpent(n int) Option {
	misuse.Negative(n, "ratelimit: WithSpent: number")
	return setting(func(o *options) { o.spent = n })
}

// WithMaxKeys bounds the number of keys that are kept at once. [Keyed] tells
// what happens when a key comes beyond that. The default is 1,048,576 keys, which take about
// 60 MB with short strings as keys. It panics if n is less than 1.
func WithMaxKeys(n int) KeyedOption {
	misuse.Below(n, 1, "ratelimit: WithMaxKeys: number")
	return setting(func(o *options) { o.maxKeys = n })
}
