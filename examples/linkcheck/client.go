package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/httplimit"
)

// A client makes requests, at a bounded rate for each host. It stays away from a host for
// as long as that asks it to by a Retry-After, and asks again.
type client struct {
	http    *http.Client
	timeout time.Duration
}

func newClient(timeout time.Duration, rate int) *client {
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.DialContext = (&net.Dialer{Timeout: timeout}).DialContext
	base.ResponseHeaderTimeout = timeout
	limits := ratelimit.NewKeyed[string](ratelimit.Per(rate, time.Second), rate)
	return &client{
		http: &http.Client{Transport: httplimit.NewTransport(base, limits, httplimit.ByHost,
			httplimit.WithRetries(2), httplimit.WithMaxPause(30*time.Second))},
		timeout: timeout,
	}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// page fetches a document and returns it parsed if it is HTML, Markdown or CSS, or
// without content if it is something else.
func (c *client) page(ctx context.Context, u string) (Page, error) {
	var p Page
	err := c.do(ctx, http.MethodGet, u, func(res *http.Response) error {
		at := plain(res.Request.URL)
		kind := kindOf(res.Request.URL.Path)
		switch media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); {
		case media == "text/html", media == "application/xhtml+xml":
			kind = asHTML
		case media == "text/css":
			kind = asCSS
		case media == "text/markdown":
			kind = asMarkdown
		case kind != asMarkdown:
			p = Page{Name: u, At: at, Other: true}
			return nil
		}
		src, err := io.ReadAll(io.LimitReader(res.Body, maxDocument+1))
		if err == nil && len(src) > maxDocument {
			err = fmt.Errorf("larger than %d MiB", maxDocument>>20)
		}
		p = parseDocument(at, kind, src)
		p.Name, p.At = u, at
		return err
	})
	return p, err
}

// exists checks that u can be fetched, and returns the page if u has a fragment.
func (c *client) exists(ctx context.Context, u *url.URL) (Page, error) {
	if u.Fragment != "" {
		p, err := c.page(ctx, plain(u))
		p.Other = p.Other || len(p.Anchors) == 0 // they may be made by script
		return p, err
	}
	err := c.do(ctx, http.MethodHead, plain(u), nil)
	if _, late := errors.AsType[lateError](err); err != nil && !late && ctx.Err() == nil {
		err = c.do(ctx, http.MethodGet, plain(u), nil) // many servers do not support HEAD correctly
	}
	return Page{}, err
}

// do makes a request and passes a good response to use, which may be nil.
func (c *client) do(ctx context.Context, method, u string, use func(*http.Response) error) error {
	late := lateError(c.timeout)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, method, u, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "linkcheck (github.com/tandemgo/tandem)")
	res, err := c.http.Do(req) // the transport bounds the time until the header
	if err == nil {
		defer func() { _ = res.Body.Close() }()
		defer time.AfterFunc(c.timeout, func() { cancel(late) }).Stop()
		if res.StatusCode >= 400 {
			return statusError(res.StatusCode)
		}
		if use != nil {
			err = use(res)
		}
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		if e.Timeout() {
			return late
		}
		return e.Err // without the URL, which the report has already
	}
	return err
}

// A lateError is the time within which a server has not answered.
type lateError time.Duration

func (e lateError) Error() string { return fmt.Sprintf("no answer within %v", time.Duration(e)) }

// A statusError is an HTTP status code that means failure.
type statusError int

func (s statusError) Error() string {
	return fmt.Sprintf("status %d %s", int(s), http.StatusText(int(s)))
}
