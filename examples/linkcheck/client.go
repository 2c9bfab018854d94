package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

// A client asks servers politely: each host has a limiter of its own, and each
// request a time limit.
type client struct {
	http    *http.Client
	timeout time.Duration
	rate    int // requests a second and host

	mu       sync.Mutex
	limiters map[string]*ratelimit.Limiter
}

func newClient(timeout time.Duration, rate int) *client {
	return &client{
		http:     &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()},
		timeout:  timeout,
		rate:     rate,
		limiters: map[string]*ratelimit.Limiter{},
	}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// limiter returns the limiter of a host.
func (c *client) limiter(host string) *ratelimit.Limiter {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.limiters[host]
	if l == nil {
		l = ratelimit.New(ratelimit.Per(c.rate, time.Second), c.rate)
		c.limiters[host] = l
	}
	return l
}

// page fetches a document and returns it parsed if it is HTML or Markdown, or
// without content if it is something else.
func (c *client) page(ctx context.Context, u string) (Page, error) {
	var p Page
	err := c.do(ctx, http.MethodGet, u, func(res *http.Response) error {
		kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
		name := res.Request.URL.Path
		html := kind == "text/html" || kind == "application/xhtml+xml"
		if !html && kind != "text/markdown" && !isMarkdown(name) {
			p = Page{Name: u}
			return nil
		}
		src, err := io.ReadAll(io.LimitReader(res.Body, maxDocument+1))
		if err == nil && len(src) > maxDocument {
			err = fmt.Errorf("larger than %d MiB", maxDocument>>20)
		}
		p = parse(u, !html, src)
		return err
	})
	return p, err
}

// exists asks whether u can be fetched, and whether its fragment is there.
func (c *client) exists(ctx context.Context, u *url.URL) error {
	if u.Fragment != "" {
		p, err := c.page(ctx, plain(u))
		if err == nil && len(p.Anchors) > 0 && !p.HasAnchor(u.Fragment) {
			// A page without any anchor makes them by script: nothing is known.
			err = errors.New("no such anchor")
		}
		return err
	}
	err := c.do(ctx, http.MethodHead, u.String(), nil)
	if status, ok := errors.AsType[statusError](err); ok && status != http.StatusNotFound && status != http.StatusGone {
		// Many servers do not do HEAD well.
		err = c.do(ctx, http.MethodGet, u.String(), nil)
	}
	return err
}

// do waits for the host's turn, makes a request and gives a good response to
// use, which may be nil.
func (c *client) do(ctx context.Context, method, u string, use func(*http.Response) error) error {
	req, err := http.NewRequest(method, u, nil)
	if err != nil {
		return err
	}
	if err := c.limiter(req.URL.Host).Wait(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("no answer within %v", c.timeout))
	defer cancel()
	req = req.WithContext(ctx)
	req.Header.Set("User-Agent", "linkcheck (github.com/tandemgo/tandem)")
	res, err := c.http.Do(req)
	if err == nil {
		defer res.Body.Close()
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
		return e.Err // without the URL, which the report has already
	}
	return err
}

// A statusError is a status code that says no.
type statusError int

func (s statusError) Error() string {
	return fmt.Sprintf("status %d %s", int(s), http.StatusText(int(s)))
}
