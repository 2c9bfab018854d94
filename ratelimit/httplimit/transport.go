package httplimit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tandemgo/tandem/internal/lineup"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/ratelimit"
)

// ErrDenied is wrapped by the error of a request that its Taker will never grant.
var ErrDenied = errors.New("httplimit: denied")

// A waiter can wait better than by asking again: first come, first served.
type waiter[K comparable] interface {
	WaitN(ctx context.Context, k K, n int) error
}

// An allower can be asked for permits that need no waiting.
type allower[K comparable] interface {
	AllowN(k K, n int) bool
}

// A Transport is an [http.RoundTripper] that waits before it sends. It is made by
// [NewTransport] and is safe for concurrent use.
type Transport[K comparable] struct {
	base    http.RoundTripper
	taker   ratelimit.Taker[K]
	key     func(*http.Request) K
	options options

	came  atomic.Uint64 // requests
	lines lines[K]
}

// NewTransport returns a round tripper that sends by base, and no more requests
// than taker grants: each waits for a permit of the key that key returns for it. If base
// is nil, it is [http.DefaultTransport]. NewTransport panics if taker or key is
// nil.
//
// When the answer is 403, 429 or 503 with a Retry-After, no other request with that
// key is sent before then. [WithPauseStatus] has other answers count, [WithMaxPause]
// bounds the pause. A date is taken by the clock of the server, if the answer has a
// Date. Pauses of 65,536 keys are remembered while no request waits for them.
//
// A request that waits holds the goroutine that sends it, and the wait counts towards the
// Timeout of the http.Client: with a few workers and a slow host, all may wait for that host.
//
// Requests with one key are sent in the order in which they came, also after a pause.
// Those that wait for permits when a pause begins lose none, and keep their places.
//
// A request that can't be sent before its context's deadline fails at once, with an
// error that wraps [context.DeadlineExceeded], and one that will never be granted
// with one that wraps [ErrDenied] or [ratelimit.ErrExceedsBurst]. If it is behind
// others after a pause, and the Taker is not a [ratelimit.Keyed], it may fail as late
// as at its deadline.
//
// A Taker with a method WaitN, such as [ratelimit.Keyed], is waited for, first
// come, first served; with a rate of 0 that is until the context ends. Others are
// asked again after each RetryAfter, for the request in front only, and never again
// when that is [ratelimit.Never]: then the request fails with ErrDenied.
func NewTransport[K comparable](base http.RoundTripper, taker ratelimit.Taker[K], key func(*http.Request) K, opts ...Option) *Transport[K] {
	misuse.Nil(taker == nil, "httplimit: NewTransport: taker")
	misuse.Nil(key == nil, "httplimit: NewTransport: function")
	if base == nil {
		base = http.DefaultTransport
	}
	t := &Transport[K]{base: base, taker: taker, key: key, options: newOptions(opts)}
	t.lines.of = map[K]*line{}
	return t
}

// RoundTrip waits and sends. It blocks until the answer is there or the context
// of the request has ended.
func (t *Transport[K]) RoundTrip(r *http.Request) (*http.Response, error) {
	misuse.Zero(t.key == nil, "httplimit: RoundTrip", "Transport", "NewTransport")
	key, cost, order := t.key(r), t.options.cost(r), t.came.Add(1)
	for tries := 0; ; tries++ {
		if err := t.wait(r.Context(), key, cost, order); err != nil {
			if r.Body != nil {
				_ = r.Body.Close()
			}
			return nil, err
		}
		res, err := t.base.RoundTrip(r)
		if err != nil || res == nil || !t.sentAway(key, res) || tries == t.options.retries {
			return res, err
		}
		if r.Body != nil && r.Body != http.NoBody {
			if r.GetBody == nil {
				return res, nil
			}
			body, err := r.GetBody()
			if err != nil {
				return res, nil
			}
			r = r.Clone(r.Context())
			r.Body = body
		}
		drop(res.Body)
	}
}

const (
	maxDropped  = 64 << 10
	maxDropTime = 50 * time.Millisecond
)

// drop reads the rest of an answer and closes it, so that its connection can be
// used again. It gives up on a long one, and on a slow one.
func drop(body io.ReadCloser) {
	if body == nil { // of a base that is none of package http
		return
	}
	slow := time.AfterFunc(maxDropTime, func() { _ = body.Close() })
	_, _ = io.CopyN(io.Discard, body, maxDropped)
	if slow.Stop() {
		_ = body.Close()
	}
}

// wait waits until the server wants to be asked again, and for permits.
func (t *Transport[K]) wait(ctx context.Context, key K, n int, order uint64) error {
	if a, ok := t.taker.(allower[K]); ok && sched.Err(ctx) == nil && t.lines.stranger(key) && a.AllowN(key, n) {
		return nil
	}
	l, q := t.lines.join(key, order)
	gone := false
	defer func() {
		if !gone { // an error, or a panic of the Taker
			t.lines.leave(key, l, q)
		}
	}()
	for {
		asking, err := t.lines.enter(ctx, l, q)
		if err != nil {
			return err
		}
		if w, ok := t.taker.(waiter[K]); ok {
			err = w.WaitN(lineup.With(asking, func() { t.lines.placed(l, q) }), key, n)
		} else {
			var d ratelimit.Decision
			switch d, err = t.taker.Take(asking, key, n); {
			case err != nil || d.OK:
			case d.RetryAfter == ratelimit.Never:
				err = fmt.Errorf("%w: %d permits of at most %d", ErrDenied, n, d.Limit)
			default:
				// A RetryAfter of 0 is a pause all the same.
				t.lines.denied(l, q, max(d.RetryAfter, time.Millisecond))
				continue
			}
		}
		if gone = t.lines.returned(key, l, q, sched.Err(ctx) != nil); gone {
			if err != nil && sched.Err(ctx) != nil {
				err = context.Cause(ctx)
			}
			return err
		}
	}
}

// sentAway reports whether an answer asks for a pause, and notes it.
func (t *Transport[K]) sentAway(key K, res *http.Response) bool {
	if !slices.Contains(t.options.pauseOn, res.StatusCode) {
		return false
	}
	d, ok := retryAfter(res.Header)
	if ok && d > 0 {
		t.lines.pause(key, min(d, t.options.maxPause))
	}
	return ok
}

// maxRetryAfter replaces a longer pause.
const maxRetryAfter = 100 * 365 * 24 * time.Hour

// retryAfter returns how long a server wants to be left alone. Of several headers, the
// longest counts.
func retryAfter(h http.Header) (longest time.Duration, ok bool) {
	for _, text := range h["Retry-After"] {
		text = trim(text)
		d, valid := delay(text)
		if at, err := http.ParseTime(text); err == nil {
			now, err := http.ParseTime(h.Get("Date"))
			if err != nil {
				now = time.Now()
			}
			d, valid = max(0, at.Sub(now)), true
		}
		if valid {
			longest, ok = max(longest, min(d, maxRetryAfter)), true
		}
	}
	return longest, ok
}

// delay reads a number of seconds. A sign and a fraction, which is rounded up, are
// not in RFC 9110, but there are servers that send them.
func delay(text string) (d time.Duration, ok bool) {
	whole, fraction, isFraction := strings.Cut(strings.TrimPrefix(text, "+"), ".")
	if whole == "" || strings.Trim(whole+fraction, "0123456789") != "" || isFraction && fraction == "" {
		return 0, false
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n >= int64(maxRetryAfter/time.Second) {
		return maxRetryAfter, true // it can only be too large
	}
	if strings.Trim(fraction, "0") != "" {
		n++
	}
	return time.Duration(n) * time.Second, true
}

// CloseIdleConnections closes the idle connections of base, if base can do so.
// [http.Client.CloseIdleConnections] calls it.
func (t *Transport[K]) CloseIdleConnections() { closeIdle(t.base) }

func closeIdle(base http.RoundTripper) {
	if c, ok := base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
