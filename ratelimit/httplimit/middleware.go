package httplimit

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/ratelimit"
)

// Middleware returns a function that wraps a handler. The handler sees no more requests
// than taker grants: each takes a permit of the key that key returns for it. A request
// over the limit is answered at once with 429 Too Many Requests and the header
// Retry-After, in whole seconds, rounded up and never 0; there is no such header if
// waiting does not help. Middleware panics if taker or key is nil.
//
// The answer to a request over the limit does not wait for its body. Over HTTP/1,
// the connection is closed after the answer, unless the body is no longer than
// 64 KiB by its Content-Length, needs no 100 Continue, and comes within 2 s: that is read
// and dropped.
func Middleware[K comparable](taker ratelimit.Taker[K], key func(*http.Request) K, opts ...Option) func(http.Handler) http.Handler {
	misuse.Nil(taker == nil, "httplimit: Middleware: taker")
	misuse.Nil(key == nil, "httplimit: Middleware: function")
	o := newOptions(opts)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			d, err := taker.Take(r.Context(), key(r), o.cost(r))
			switch {
			case err != nil && o.failed != nil:
				o.failed(w, r, err)
				return
			case err != nil:
				withoutBody(w, r, func() { fail(w, http.StatusServiceUnavailable) })
				return
			}
			if o.headers && (d.Limit > 0 || !d.OK) { // with a Limit of 0 it is unlimited
				setHeaders(w.Header(), d)
			}
			if d.OK {
				next.ServeHTTP(w, r)
				return
			}
			if d.RetryAfter != ratelimit.Never {
				w.Header().Set("Retry-After", pause(d.RetryAfter))
			}
			withoutBody(w, r, func() { o.denied(w, r, d) })
		})
	}
}

func tooMany(w http.ResponseWriter, _ *http.Request, _ ratelimit.Decision) {
	fail(w, http.StatusTooManyRequests)
}

// fail answers with a status and its text.
func fail(w http.ResponseWriter, status int) { http.Error(w, http.StatusText(status), status) }

// maxUnread bounds the body of a request that is read for no other reason than to
// keep the connection, and maxUnreadTime how long that may take: a handler outside, such as
// that of InFlight, must not be held by a client that has been denied.
const (
	maxUnread     = 64 << 10
	maxUnreadTime = 2 * time.Second
)

// withoutBody calls answer so that it is sent at once, and not only when the body of
// a request has come, as package http has it over HTTP/1.
func withoutBody(w http.ResponseWriter, r *http.Request, answer func()) {
	if r.ProtoMajor != 1 || r.Body == nil || r.Body == http.NoBody {
		answer()
		return
	}
	control := http.NewResponseController(w)
	if r.ContentLength < 0 || r.ContentLength > maxUnread || r.Header.Get("Expect") != "" || control.EnableFullDuplex() != nil {
		w.Header().Set("Connection", "close")
		answer()
		return
	}
	answer()
	_ = control.Flush()
	// Package http would read the rest as well, but if the handler has returned by
	// then, it may read the next request at the same time, and panic.
	_ = control.SetReadDeadline(time.Now().Add(maxUnreadTime))
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		closeAfter(w) // or package http would take the rest for a request
	}
}

// closeAfter makes package http close the connection after an answer that has begun.
func closeAfter(w http.ResponseWriter) {
	for {
		_, _ = http.MaxBytesReader(w, io.NopCloser(strings.NewReader("x")), 0).Read(make([]byte, 1))
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return
		}
		w = u.Unwrap()
	}
}

// setHeaders writes the fields of draft-ietf-httpapi-ratelimit-headers-10: the
// quota, the rest of it, and in how many seconds it is all back. They stay as
// they are if they are of another Middleware with less that remains.
func setHeaders(h http.Header, d ratelimit.Decision) {
	is := standing{min(uint64(d.Remaining), maxInteger), never}
	if d.ResetAfter != ratelimit.Never {
		is.reset = uint64(seconds(d.ResetAfter))
	}
	if before, ok := parseStanding(h.Get("RateLimit")); ok && !is.stricter(before) {
		return
	}
	h.Set("RateLimit-Policy", fmt.Sprintf(`"default";q=%d`, min(uint64(d.Limit), maxInteger)))
	h.Set("RateLimit", is.String())
}

const (
	maxInteger = 999_999_999_999_999 // of RFC 9651
	never      = math.MaxUint64
)

// A standing is the content of the header RateLimit.
type standing struct {
	remaining uint64
	reset     uint64 // in seconds, or never
}

// stricter reports whether less remains of s than of t, or it takes longer to be
// back.
func (s standing) stricter(t standing) bool {
	return s.remaining < t.remaining || s.remaining == t.remaining && s.reset > t.reset
}

func (s standing) String() string {
	if s.reset == never {
		return fmt.Sprintf(`"default";r=%d`, s.remaining)
	}
	return fmt.Sprintf(`"default";r=%d;t=%d`, s.remaining, s.reset)
}

// parseStanding reads the text of String.
func parseStanding(text string) (s standing, ok bool) {
	text, ok = strings.CutPrefix(text, `"default";r=`)
	if !ok {
		return s, false
	}
	remaining, reset, timed := strings.Cut(text, ";t=")
	s = standing{reset: never}
	var err error
	if s.remaining, err = strconv.ParseUint(remaining, 10, 64); err == nil && timed {
		s.reset, err = strconv.ParseUint(reset, 10, 64)
	}
	return s, err == nil
}

// pause returns the value of a Retry-After, which is never 0.
func pause(d time.Duration) string { return strconv.FormatInt(max(1, seconds(d)), 10) }

// seconds rounds up.
func seconds(d time.Duration) int64 {
	s := int64(d / time.Second)
	if d%time.Second > 0 {
		s++
	}
	return s
}
