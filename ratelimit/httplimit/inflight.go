package httplimit

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/tandemgo/tandem/inflight"
	"github.com/tandemgo/tandem/internal/misuse"
)

// InFlight returns a function that wraps a handler. The handler serves no more requests at
// once than l has room for: each takes a weight of 1, or what [WithCost] returns, until it is
// served. A request for which there is no room is answered at once with 503 Service
// Unavailable and a Retry-After of retryAfter, in whole seconds, rounded up and never 0. Other
// options have no effect. InFlight panics if l is nil or retryAfter is negative.
//
// An adaptive limiter learns from the time that the handler takes. Requests whose deadline has
// passed count as [inflight.Dropped]; those whose client has gone away, and those whose handler
// panics, as [inflight.Ignored]. The status of an answer is not looked at. Streams that last as
// long as their clients stay tell nothing of the load: don't put them behind an adaptive
// limiter. Behind a fixed one, each takes its place for as long as its client stays.
func InFlight(l *inflight.Limiter, retryAfter time.Duration, opts ...Option) func(http.Handler) http.Handler {
	misuse.Nil(l == nil, "httplimit: InFlight: limiter")
	misuse.Negative(retryAfter, "httplimit: InFlight: pause")
	o := newOptions(opts)
	after := pause(retryAfter)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p, ok := l.TryAcquire(o.cost(r))
			if !ok {
				w.Header().Set("Retry-After", after)
				withoutBody(w, r, func() { fail(w, http.StatusServiceUnavailable) })
				return
			}
			defer p.Release(inflight.Ignored)
			next.ServeHTTP(w, r)
			p.Release(outcome(r.Context().Err(), 0))
		})
	}
}

// outcome returns what an error or a status, 0 on a server, tells of the load.
func outcome(err error, status int) inflight.Outcome {
	timeout, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), ok && timeout.Timeout(),
		status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		return inflight.Dropped
	case err != nil:
		return inflight.Ignored
	}
	return inflight.Success
}

// NewInFlightTransport returns a round tripper that sends by base, and has no more requests
// in flight than l has room for: each waits for a weight of 1, or what [WithCost] returns,
// first come, first served, and keeps it until its answer is read to the end or closed. If base
// is nil, it is [http.DefaultTransport]. Other options have no effect. NewInFlightTransport
// panics if l is nil.
//
// An adaptive limiter learns from the time up to the end of the answer. A request that runs
// into a timeout, or is answered with 429, 503 or 504, counts as [inflight.Dropped]; one that
// fails otherwise, as [inflight.Ignored]. A connection that is upgraded, by an answer of 101,
// gives its weight back at once.
func NewInFlightTransport(base http.RoundTripper, l *inflight.Limiter, opts ...Option) http.RoundTripper {
	misuse.Nil(l == nil, "httplimit: NewInFlightTransport: limiter")
	if base == nil {
		base = http.DefaultTransport
	}
	return &inFlightTransport{base, l, newOptions(opts).cost}
}

type inFlightTransport struct {
	base  http.RoundTripper
	limit *inflight.Limiter
	cost  func(*http.Request) int
}

// RoundTrip implements [http.RoundTripper].
func (t *inFlightTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	p, err := t.limit.Acquire(r.Context(), t.cost(r))
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	kept := false
	defer func() {
		if !kept { // an upgrade, or a panic of base
			p.Release(inflight.Ignored)
		}
	}()
	res, err := t.base.RoundTrip(r)
	switch {
	case err != nil || res == nil:
		p.Release(outcome(err, 0))
	case res.Body == nil || res.Body == http.NoBody: // that is its end; nil is of a base that is none of package http
		p.Release(outcome(nil, res.StatusCode))
	case res.StatusCode != http.StatusSwitchingProtocols:
		kept = true
		res.Body = &inFlightBody{ReadCloser: res.Body, permit: p, outcome: outcome(nil, res.StatusCode)}
	}
	return res, err
}

// CloseIdleConnections closes the idle connections of base, if base can do so.
func (t *inFlightTransport) CloseIdleConnections() { closeIdle(t.base) }

// An inFlightBody is an answer that keeps its permit as long as it is read.
type inFlightBody struct {
	io.ReadCloser
	once    sync.Once // Close may come during a Read
	permit  inflight.Permit
	outcome inflight.Outcome
}

func (b *inFlightBody) Read(buf []byte) (int, error) {
	n, err := b.ReadCloser.Read(buf)
	switch {
	case err == io.EOF:
		b.release(b.outcome)
	case err != nil:
		b.release(outcome(err, 0))
	}
	return n, err
}

func (b *inFlightBody) Close() error {
	defer b.release(b.outcome)
	return b.ReadCloser.Close()
}

func (b *inFlightBody) release(o inflight.Outcome) { b.once.Do(func() { b.permit.Release(o) }) }
