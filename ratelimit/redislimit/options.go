package redislimit

import (
	"fmt"
	"slices"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

// An Option changes how [New] and [NewFunc] make a limiter. A nil Option is ignored.
type Option func(*options)

type options struct {
	prefix    string
	further   []ratelimit.Window
	parentKey string
	parent    *limits // nil for none
	timeout   time.Duration
	failures  int
	pause     time.Duration
	policy    FailurePolicy
	replicas  int
	maxKeys   int
	lease     int
	ttl       time.Duration
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
		if opt != nil {
			opt(&o)
		}
	}
	return o
}

// WithPrefix puts s in front of every key in Redis. The default is "tandem:rate:".
// Two limiters with the same prefix share their keys, and should have the same limits;
// of different prefixes none should begin with another, or their keys can meet.
func WithPrefix(s string) Option { return func(o *options) { o.prefix = s } }

// WithWindow limits each key by another rate and burst as well, such as 1,000 an hour
// besides 10 a second: permits are granted by all windows, or spent on none. They are one
// key in Redis. It can be given several times. It panics if burst is negative.
func WithWindow(rate ratelimit.Rate, burst int) Option {
	x := ratelimit.Window{Rate: rate, Burst: burst}
	check("WithWindow", x)
	return func(o *options) { o.further = append(o.further, x) }
}

// WithParent makes every grant need permits of one key of Redis as well: one limit per
// tenant, and one for all tenants together. Permits are granted by both, or spent on
// neither, in one call. The key has the name of the parent as it is, without the prefix, so
// several limiters may share it. On a cluster, the parent and all keys of the limiter must
// be in one slot: give the name and the prefix the same hash tag, such as "{api}all" and
// "{api}". WithParent panics if there is no window, or if one is out of range.
func WithParent(name string, windows ...ratelimit.Window) Option {
	p := newLimits("WithParent", slices.Clone(windows), nil)
	return func(o *options) { o.parentKey, o.parent = name, p }
}

// WithTimeout bounds how long Redis is waited for. The default is 50 ms. It panics
// if d is not positive.
func WithTimeout(d time.Duration) Option {
	atLeast(d, 1, "WithTimeout: duration")
	return func(o *options) { o.timeout = d }
}

// WithBreaker sets when Redis is no longer asked: after so many failures in a row.
// One caller asks again after each pause, and if that works, so do all. The default
// is 3 failures and a pause of 500 ms. It panics if failures is less than 1 or pause
// is not positive.
func WithBreaker(failures int, pause time.Duration) Option {
	atLeast(failures, 1, "WithBreaker: number")
	atLeast(pause, 1, "WithBreaker: duration")
	return func(o *options) { o.failures, o.pause = failures, pause }
}

// WithFailurePolicy sets how calls are decided while Redis does not answer. The default is
// FailLocal. It panics if p is no FailurePolicy.
func WithFailurePolicy(p FailurePolicy) Option {
	if p < FailLocal || p > FailClosed {
		panic(fmt.Sprintf("redislimit: WithFailurePolicy: policy must be FailLocal, FailOpen or FailClosed, got %d", int(p)))
	}
	return func(o *options) { o.policy = p }
}

// WithReplicas sets how many processes share the limit. While Redis does not answer,
// each has a burst and a rate that many times smaller; the burst is rounded up. The
// default is 1, with which each process grants all of the limit then. It panics if n
// is less than 1.
func WithReplicas(n int) Option {
	atLeast(n, 1, "WithReplicas: number")
	return func(o *options) { o.replicas = n }
}

// WithMaxKeys bounds the number of keys that this process keeps, for FailLocal as
// [ratelimit.Keyed] does, and for leases: keys beyond that have none. The default is
// 1,048,576. It panics if n is less than 1.
func WithMaxKeys(n int) Option {
	atLeast(n, 1, "WithMaxKeys: number")
	return func(o *options) { o.maxKeys = n }
}

// WithLease makes the limiter take permits from Redis in advance, up to so many at
// once, and hand them out for up to ttl. See the section on leases of the package. The
// default is no lease. It panics if permits is less than 1 or ttl is not positive.
func WithLease(permits int, ttl time.Duration) Option {
	atLeast(permits, 1, "WithLease: number")
	atLeast(ttl, 1, "WithLease: duration")
	return func(o *options) { o.lease, o.ttl = permits, ttl }
}
