package httplimit

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/ratelimit"
)

// An Option changes [Middleware] or [NewTransport], as its documentation says. A nil
// Option is ignored.
type Option func(*options)

type options struct {
	cost    func(*http.Request) int
	headers bool
	denied  func(http.ResponseWriter, *http.Request, ratelimit.Decision)
	failed  func(http.ResponseWriter, *http.Request, error) // or nil
	retries int

	pauseOn  []int // codes
	maxPause time.Duration
}

func newOptions(opts []Option) options {
	o := options{
		cost:   func(*http.Request) int { return 1 },
		denied: tooMany,

		pauseOn:  []int{http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable},
		maxPause: maxRetryAfter,
	}
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	return o
}

// WithCost sets the function that returns the number of permits of a request, of a
// Middleware or a Transport. The default is 1. The number must be at least 1. WithCost
// panics if fn is nil.
func WithCost(fn func(*http.Request) int) Option {
	misuse.Nil(fn == nil, "httplimit: WithCost: function")
	return func(o *options) { o.cost = fn }
}

// ExposeLimits makes Middleware tell each client its limit, the permits that remain and
// when they are all back, in the headers RateLimit and RateLimit-Policy of
// draft-ietf-httpapi-ratelimit-headers. The default is not to, since it also tells
// clients that probe. Nothing is told to a client whose rate is unlimited and whose burst is 0.
//
// If a request passes several Middlewares with headers, they tell of the one of which
// the fewest permits remain, and if these are as many, of the one that takes longest
// to have all of them again.
func ExposeLimits() Option { return func(o *options) { o.headers = true } }

// WithDenied makes Middleware call fn for a request over the limit, in place of
// answering 429 with a line of text. The header Retry-After is set by then. It
// panics if fn is nil.
func WithDenied(fn func(http.ResponseWriter, *http.Request, ratelimit.Decision)) Option {
	misuse.Nil(fn == nil, "httplimit: WithDenied: function")
	return func(o *options) { o.denied = fn }
}

// WithFailed makes Middleware call fn when the Taker returns an error, in place
// of answering 503: because the client has gone away, or because a limiter that
// machines share can't be reached. To let requests through then, fn calls the next
// handler itself. It panics if fn is nil.
func WithFailed(fn func(http.ResponseWriter, *http.Request, error)) Option {
	misuse.Nil(fn == nil, "httplimit: WithFailed: function")
	return func(o *options) { o.failed = fn }
}

// WithRetries makes a Transport send a request again, up to n times, when the
// answer is one that asks for a pause (see [WithPauseStatus]) and the request has no
// body or can make another (see [http.Request.GetBody]). It goes in front of requests
// that came later. The default is 0: the answer goes to the caller, and only later
// requests have to wait. It panics if n is negative.
func WithRetries(n int) Option {
	misuse.Negative(n, "httplimit: WithRetries: number")
	return func(o *options) { o.retries = n }
}

// WithPauseStatus sets the status codes with which an answer that has a Retry-After asks a
// Transport for a pause. The default is 403, which GitHub and others send with it, 429
// and 503. Without codes, no answer does. It panics if a code is not between 100 and
// 999.
func WithPauseStatus(codes ...int) Option {
	for _, c := range codes {
		if c < 100 || c > 999 {
			panic(fmt.Sprintf("httplimit: WithPauseStatus: code must be between 100 and 999, got %d", c))
		}
	}
	codes = slices.Clone(codes)
	return func(o *options) { o.pauseOn = codes }
}

// WithMaxPause makes a Transport take a longer Retry-After for d, so that a server
// can't stop it for as long as it likes. The default is 100 years. It panics if d is
// not positive.
func WithMaxPause(d time.Duration) Option {
	misuse.NotPositive(d, "httplimit: WithMaxPause: duration")
	return func(o *options) { o.maxPause = d }
}
