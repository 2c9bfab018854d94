package redislimit

import (
	"fmt"
	"time"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/ratelimit"
)

// An Option changes how [New] makes a limiter.
type Option func(*options)

type options struct {
	prefix   string
	key      any // of type func(K) string
	limits   any // of type func(K) (ratelimit.Rate, int)
	windows  []limit
	timeout  time.Duration
	failures int
	pause    time.Duration
	policy   Policy
	replicas int
	maxKeys  int
	lease    int
	ttl      time.Duration
}

func newOptions(opts []Option) options {
	o := options{
		prefix:   "tandem:rate:",
		timeout:  50 * time.Millisecond,
		failures: 3,
		pause:    500 * time.Millisecond,
		replicas: 1,
		maxKeys:  1 << 20,
	}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// WithPrefix puts s in front of every key in Redis. The default is "tandem:rate:".
// Two limiters with the same prefix share their keys, and should have the same limits;
// of different prefixes none should begin with another, or their keys can meet.
func WithPrefix(s string) Option { return func(o *options) { o.prefix = s } }

// WithKey says what a key is called in Redis, behind the prefix. Two keys with one
// name share a limit. By default strings are called what they are, integers and
// booleans what they print as, and what is an [encoding.TextMarshaler], such as
// [net/netip.Addr], what it marshals as; keys of other types must have WithKey. It
// panics if fn is nil, New if fn is for keys of another type.
func WithKey[K comparable](fn func(K) string) Option {
	misuse.Nil(fn == nil, "redislimit: WithKey: function")
	return func(o *options) { o.key = fn }
}

// WithLimits gives each key a rate and a burst of its own, in place of those of New.
// fn is called on the goroutine that asks, with no lock held, at each call; if it says
// something else than before, the key owes as many permits as before. A caller that waits
// keeps the place that it has. fn must be fast, safe for concurrent use, and should say the
// same in all processes. WithLimits panics if fn is nil, New if fn is for keys of
// another type.
func WithLimits[K comparable](fn func(K) (ratelimit.Rate, int)) Option {
	misuse.Nil(fn == nil, "redislimit: WithLimits: function")
	return func(o *options) { o.limits = fn }
}

// WithWindow limits each key by another rate and burst as well, such as 1,000 an hour
// besides 10 a second: what is granted is granted by all, and what one denies is
// spent on none. They are one key in Redis. It can be given several times. It panics
// if burst is negative.
func WithWindow(rate ratelimit.Rate, burst int) Option {
	x := limit{rate, burst}
	x.check("WithWindow")
	return func(o *options) { o.windows = append(o.windows, x) }
}

// WithTimeout bounds how long Redis is waited for. The default is 50 ms. It panics
// if d is not positive.
func WithTimeout(d time.Duration) Option {
	misuse.NotPositive(d, "redislimit: WithTimeout: duration")
	return func(o *options) { o.timeout = d }
}

// WithBreaker says when Redis is no longer asked: after so many failures in a row.
// One caller asks again after each pause, and if that works, so do all. The default
// is 3 failures and a pause of 500 ms. It panics if failures is less than 1 or pause
// is not positive.
func WithBreaker(failures int, pause time.Duration) Option {
	misuse.Below(failures, 1, "redislimit: WithBreaker: number")
	misuse.NotPositive(pause, "redislimit: WithBreaker: duration")
	return func(o *options) { o.failures, o.pause = failures, pause }
}

// A Policy says what to do when Redis does not answer. See [OnFailure].
type Policy int

const (
	// FailLocal decides by a limiter of this process, which has seen what this
	// process was granted, and has its share of the limit (see [WithReplicas]).
	FailLocal Policy = iota
	// FailOpen grants everything that could ever be granted.
	FailOpen
	// FailClosed returns an error that wraps ErrUnavailable or ErrForeign.
	FailClosed
)

// OnFailure says what to do when Redis does not answer. The default is FailLocal. It
// panics if p is no Policy.
func OnFailure(p Policy) Option {
	if p < FailLocal || p > FailClosed {
		panic(fmt.Sprintf("redislimit: OnFailure: policy must be FailLocal, FailOpen or FailClosed, got %d", p))
	}
	return func(o *options) { o.policy = p }
}

// WithReplicas says how many processes share the limit. While Redis does not answer,
// each has a burst and a rate that many times smaller; the burst is rounded up. The
// default is 1, with which each process grants all of the limit then. It panics if n
// is less than 1.
func WithReplicas(n int) Option {
	misuse.Below(n, 1, "redislimit: WithReplicas: number")
	return func(o *options) { o.replicas = n }
}

// WithMaxKeys bounds of how many keys this process knows anything at once, for
// FailLocal and for leases. Those that owe nothing are dropped when there are others.
// What comes beyond has no lease, and is denied by FailLocal. The default is
// 1,048,576. It panics if n is less than 1.
func WithMaxKeys(n int) Option {
	misuse.Below(n, 1, "redislimit: WithMaxKeys: number")
	return func(o *options) { o.maxKeys = n }
}

// WithLease makes the limiter take permits from Redis in advance, up to so many at
// once, and hand them out for up to ttl. See the section on leases of the package. The
// default is no lease. It panics if permits is less than 1 or ttl is not positive.
func WithLease(permits int, ttl time.Duration) Option {
	misuse.Below(permits, 1, "redislimit: WithLease: number")
	misuse.NotPositive(ttl, "redislimit: WithLease: duration")
	return func(o *options) { o.lease, o.ttl = permits, ttl }
}
