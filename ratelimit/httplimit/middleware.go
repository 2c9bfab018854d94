package httplimit

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/ratelimit"
)

// Middleware returns what wraps a handler so that it sees no more requests than
// taker grants: each takes a permit of what key returns for it. One that is too
// much is answered with 429 Too Many Requests and the header Retry-After, in whole
// seconds, rounded up and never 0; there is no such header if waiting does not
// help. Nobody waits. It panics if taker or key is nil.
func Middleware[K comparable](taker ratelimit.Taker[K], key func(*http.Request) K, opts ...Option) func(http.Handler) http.Handler {
	misuse.Nil(taker == nil, "httplimit: Middleware: taker")
	misuse.Nil(key == nil, "httplimit: Middleware: function")
	o := newOptions(opts)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			d, err := taker.Take(r.Context(), key(r), o.cost(r))
			if err != nil {
				o.failed(w, r, err)
				return
			}
			if o.headers {
				setHeaders(w.Header(), d)
			}
			if d.OK {
				next.ServeHTTP(w, r)
				return
			}
			if d.RetryAfter != ratelimit.Never {
				w.Header().Set("Retry-After", strconv.FormatInt(max(1, seconds(d.RetryAfter)), 10))
			}
			o.denied(w, r, d)
		})
	}
}

func tooMany(w http.ResponseWriter, _ *http.Request, _ ratelimit.Decision) {
	http.Error(w, http.StatusText(http.StatusTooManyRequests), http.StatusTooManyRequests)
}

// setHeaders writes the fields of draft-ietf-httpapi-ratelimit-headers-10: the
// quota, what remains of it, and in how many seconds it is all back.
func setHeaders(h http.Header, d ratelimit.Decision) {
	h.Set("RateLimit-Policy", fmt.Sprintf(`"default";q=%d`, d.Limit))
	is := fmt.Sprintf(`"default";r=%d`, d.Remaining)
	if d.ResetAfter != ratelimit.Never {
		is += fmt.Sprintf(";t=%d", seconds(d.ResetAfter))
	}
	h.Set("RateLimit", is)
}

// seconds rounds up.
func seconds(d time.Duration) int64 {
	s := int64(d / time.Second)
	if d%time.Second > 0 {
		s++
	}
	return s
}
