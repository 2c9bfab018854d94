package httplimit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/ratelimit"
)

// ErrDenied is wrapped by the error of a request that its Taker says will never be
// granted.
var ErrDenied = errors.New("httplimit: denied")

// A waiter can wait better than by asking again: first come, first served.
type waiter[K comparable] interface {
	WaitN(ctx context.Context, k K, n int) error
}

// A Transport is an [http.RoundTripper] that waits before it sends. It is made by
// [NewTransport] and is safe for concurrent use.
type Transport[K comparable] struct {
	base    http.RoundTripper
	taker   ratelimit.Taker[K]
	key     func(*http.Request) K
	options options

	mu     sync.Mutex
	closed map[K]time.Time // until when a server wants to be left alone
}

// NewTransport returns a round tripper that sends by base, and no more requests
// than taker grants: each waits for a permit of what key returns for it. If base
// is nil, it is [http.DefaultTransport]. NewTransport panics if taker or key is
// nil.
//
// When the answer is 429 or 503 with a Retry-After, no other request with that key
// is sent before then. A request that can't be sent before its context's deadline
// fails at once, with an error that wraps [context.DeadlineExceeded], and one that
// will never be granted with one that wraps [ErrDenied] or
// [ratelimit.ErrExceedsBurst].
//
// A Taker with a method WaitN, such as [ratelimit.Keyed], is waited for, first
// come, first served; with a rate of 0 that is until the context ends. Others are
// asked again after each RetryAfter, and never again when that is
// [ratelimit.Never]: this is what gives ErrDenied.
func NewTransport[K comparable](base http.RoundTripper, taker ratelimit.Taker[K], key func(*http.Request) K, opts ...Option) *Transport[K] {
	misuse.Nil(taker == nil, "httplimit: NewTransport: taker")
	misuse.Nil(key == nil, "httplimit: NewTransport: function")
	if base == nil {
		base = http.DefaultTransport
	}
	return &Transport[K]{base: base, taker: taker, key: key, options: newOptions(opts), closed: map[K]time.Time{}}
}

// RoundTrip waits and sends. It blocks until the answer is there or the context
// of the request has ended.
func (t *Transport[K]) RoundTrip(r *http.Request) (*http.Response, error) {
	key, cost := t.key(r), t.options.cost(r)
	for tries := 0; ; tries++ {
		if err := t.wait(r.Context(), key, cost); err != nil {
			if r.Body != nil {
				_ = r.Body.Close()
			}
			return nil, err
		}
		res, err := t.base.RoundTrip(r)
		if err != nil || !t.sentAway(key, res) || tries == t.options.retries {
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
		_ = res.Body.Close()
	}
}

// wait waits until the server wants to be asked again, and then for permits.
func (t *Transport[K]) wait(ctx context.Context, key K, n int) error {
	for {
		if err := sleep(ctx, t.pause(key)); err != nil {
			return err
		}
		if w, ok := t.taker.(waiter[K]); ok {
			if err := w.WaitN(ctx, key, n); err != nil {
				return err
			}
		} else if err := t.take(ctx, key, n); err != nil {
			return err
		}
		// What was sent before may have been sent away meanwhile.
		if t.pause(key) <= 0 {
			return nil
		}
	}
}

func (t *Transport[K]) take(ctx context.Context, key K, n int) error {
	for {
		d, err := t.taker.Take(ctx, key, n)
		switch {
		case err != nil:
			return err
		case d.OK:
			return nil
		case d.RetryAfter == ratelimit.Never:
			return fmt.Errorf("%w: %d permits of at most %d", ErrDenied, n, d.Limit)
		}
		// A Taker that says 0 is not asked without a pause.
		if err := sleep(ctx, max(d.RetryAfter, time.Millisecond)); err != nil {
			return err
		}
	}
}

// sleep sleeps for d, or fails at once if the deadline comes first.
func sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if d <= 0 {
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return fmt.Errorf("httplimit: not to be sent for %v, the deadline is in %v: %w", d, time.Until(deadline), context.DeadlineExceeded)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// pause returns how long the server of key wants to be left alone.
func (t *Transport[K]) pause(key K) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	until, ok := t.closed[key]
	if !ok {
		return 0
	}
	d := time.Until(until)
	if d <= 0 {
		delete(t.closed, key)
	}
	return d
}

// sentAway reports whether an answer says to come back later, and notes it.
func (t *Transport[K]) sentAway(key K, res *http.Response) bool {
	if res.StatusCode != http.StatusTooManyRequests && res.StatusCode != http.StatusServiceUnavailable {
		return false
	}
	d, ok := retryAfter(res.Header.Get("Retry-After"))
	if !ok {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	for k, until := range t.closed { // those of the past are not kept
		if !now.Before(until) {
			delete(t.closed, k)
		}
	}
	if until := now.Add(d); until.After(t.closed[key]) {
		t.closed[key] = until
	}
	return true
}

// retryAfter reads a number of seconds or a date.
func retryAfter(s string) (d time.Duration, ok bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		const most = int64(100 * 365 * 24 * time.Hour / time.Second)
		return time.Duration(min(n, most)) * time.Second, n >= 0
	}
	at, err := http.ParseTime(s)
	if err != nil {
		return 0, false
	}
	return max(0, time.Until(at)), true
}

// CloseIdleConnections closes the connections that base keeps and that nobody
// uses, if it can. It is what [http.Client.CloseIdleConnections] calls.
func (t *Transport[K]) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
