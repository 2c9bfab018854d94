package httplimit_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/httplimit"
)

var ok = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })

func ask(h http.Handler, user string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("User", user)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// R7, FR6: what is too much is answered with 429 and when to come back: rounded up,
// never 0, and tight to the second.
func TestR7RetryAfterInWholeSeconds(t *testing.T) {
	for interval, want := range map[time.Duration]string{1: "1", time.Millisecond: "1", time.Second: "1", time.Second + 1: "2", 90 * time.Second: "90"} {
		synctest.Test(t, func(t *testing.T) {
			h := httplimit.Middleware(ratelimit.NewKeyed[string](ratelimit.Every(interval), 1), httplimit.ByHeader("User"))(ok)
			if w := ask(h, "a"); w.Code != 200 || w.Header().Get("RateLimit") != "" {
				t.Errorf("%v: %d %v", interval, w.Code, w.Header())
			}
			w := ask(h, "a")
			if w.Code != 429 || w.Header().Get("Retry-After") != want {
				t.Errorf("%v: %d %v, want %s", interval, w.Code, w.Header(), want)
			}
			if w := ask(h, "b"); w.Code != 200 {
				t.Errorf("another user: %d", w.Code)
			}
			after, _ := time.ParseDuration(want + "s")
			time.Sleep(after)
			if w := ask(h, "a"); w.Code != 200 {
				t.Errorf("after %v: %d", after, w.Code)
			}
		})
	}
}

// The draft's headers, when they are asked for.
func TestHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := httplimit.Middleware(ratelimit.NewKeyed[string](ratelimit.Per(2, time.Second), 3), httplimit.ByHeader("User"),
			httplimit.ExposeLimits(), httplimit.WithCost(func(*http.Request) int { return 2 }))(ok)
		got := []http.Header{ask(h, "a").Header(), ask(h, "a").Header()}
		want := []http.Header{
			{"Ratelimit": {`"default";r=1;t=1`}, "Ratelimit-Policy": {`"default";q=3`}},
			{"Ratelimit": {`"default";r=1;t=1`}, "Ratelimit-Policy": {`"default";q=3`}, "Retry-After": {"1"},
				"Content-Type": {"text/plain; charset=utf-8"}, "X-Content-Type-Options": {"nosniff"}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// A client without a limit is told none.
func TestUnlimitedIsNotTold(t *testing.T) {
	x := ratelimit.NewKeyed[netip.Prefix](ratelimit.Unlimited, 0)
	w := httptest.NewRecorder()
	httplimit.Middleware(x, httplimit.ByIP, httplimit.ExposeLimits())(ok).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if got := w.Header().Get("RateLimit"); w.Code != http.StatusOK || got != "" {
		t.Errorf("%d, %q: nothing remains to a client that may ask for all it likes", w.Code, got)
	}
}

// If waiting does not help, there is no Retry-After; a handler of one's own sees
// why.
func TestDeniedForGood(t *testing.T) {
	var seen ratelimit.Decision
	h := httplimit.Middleware(ratelimit.NewKeyed[string](ratelimit.Per(0, time.Second), 1), httplimit.ByHeader("User"),
		httplimit.WithDenied(func(w http.ResponseWriter, _ *http.Request, d ratelimit.Decision) {
			seen = d
			w.WriteHeader(http.StatusForbidden)
		}))(ok)
	ask(h, "a")
	if w := ask(h, "a"); w.Code != http.StatusForbidden || w.Header().Get("Retry-After") != "" || seen.RetryAfter != ratelimit.Never {
		t.Errorf("%d %v %+v", w.Code, w.Header(), seen)
	}
}

type broken struct{ err error }

func (b broken) Take(context.Context, string, int) (ratelimit.Decision, error) {
	return ratelimit.Decision{}, b.err
}

// A Taker that does not know is 503, or what one says.
func TestFailed(t *testing.T) {
	down := errors.New("down")
	if w := ask(httplimit.Middleware(broken{down}, httplimit.ByHeader("User"))(ok), "a"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("got %d", w.Code)
	}
	h := httplimit.Middleware(broken{down}, httplimit.ByHeader("User"), httplimit.WithFailed(func(w http.ResponseWriter, r *http.Request, err error) {
		if err != down {
			t.Errorf("got %v", err)
		}
		ok(w, r)
	}))(ok)
	if w := ask(h, "a"); w.Code != 200 {
		t.Errorf("got %d", w.Code)
	}
}

// Addresses: the connection's, and what a proxy that is named says.
func TestKeys(t *testing.T) {
	proxies := "10.0.0.0/8,2001:db8::/32"
	tests := []struct{ remote, header, value, want string }{
		{"192.0.2.1:80", "", "", "192.0.2.1/32"},
		{"[2001:db9:1:2:3:4:5:6]:80", "", "", "2001:db9:1:2::/64"},
		{"[::ffff:192.0.2.1]:80", "", "", "192.0.2.1/32"},
		{"[fe80::1%eth0]:80", "", "", "fe80::/64"},
		{"@", "X-Forwarded-For", "192.0.2.9", "invalid Prefix"},
		{"192.0.2.1:80", "X-Forwarded-For", "192.0.2.9", "192.0.2.1/32"}, // not of a proxy
		{"10.0.0.1:80", "X-Forwarded-For", "192.0.2.9", "192.0.2.9/32"},
		{"10.0.0.1:80", "X-Forwarded-For", "", "10.0.0.1/32"},
		{"10.0.0.1:80", "X-Forwarded-For", "192.0.2.66, 192.0.2.9, 10.0.0.2", "192.0.2.9/32"}, // the first is forged
		{"10.0.0.1:80", "X-Forwarded-For", "192.0.2.9, rubbish", "10.0.0.1/32"},
		{"10.0.0.1:80", "X-Forwarded-For", "10.0.0.3,10.0.0.2", "10.0.0.3/32"},
		{"[2001:db8::1]:80", "x-real-ip", "2001:db9:1:2:3::4", "2001:db9:1:2::/64"},
		{"10.0.0.1:80", "Forwarded", `for=192.0.2.66, For="[2001:db9:1:2::4]:99";proto=https, by=x;for=10.0.0.2`, "2001:db9:1:2::/64"},
		{"10.0.0.1:80", "Forwarded", "for=_hidden", "10.0.0.1/32"},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(http.MethodGet, "/a/b?c", nil)
		r.RemoteAddr = tt.remote
		key := httplimit.ByIP
		if tt.header != "" {
			r.Header.Set(tt.header, tt.value)
			key = httplimit.ByForwardedIP(tt.header, prefixes(t, proxies)...)
			r.Header.Set("X-Other", "192.0.2.77")
		}
		if got := key(r).String(); got != tt.want {
			t.Errorf("%+v: got %s", tt, got)
		}
		if httplimit.ByPath(r) != "/a/b" || httplimit.ByHeader("x-none")(r) != "" {
			t.Error("path or header")
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = "10.0.0.1:80"
	r.Header["X-Forwarded-For"] = []string{"192.0.2.66", "192.0.2.9"} // two lines are one list
	if got := httplimit.ByForwardedIP("X-Forwarded-For", prefixes(t, proxies)...)(r).String(); got != "192.0.2.9/32" {
		t.Errorf("got %s", got)
	}
}

// C5: misuse panics at the call that is wrong.
func TestC5MisusePanics(t *testing.T) {
	x := ratelimit.NewKeyed[string](ratelimit.Every(1), 1)
	key := httplimit.ByHeader("User")
	testkit.Panics(t, map[string]func(){
		"httplimit: Middleware: taker must not be nil":                           func() { httplimit.Middleware(nil, key) },
		"httplimit: Middleware: function must not be nil":                        func() { httplimit.Middleware(x, nil) },
		"httplimit: NewTransport: taker must not be nil":                         func() { httplimit.NewTransport(nil, nil, key) },
		"httplimit: NewTransport: function must not be nil":                      func() { httplimit.NewTransport(nil, x, nil) },
		"httplimit: WithCost: function must not be nil":                          func() { httplimit.WithCost(nil) },
		"httplimit: WithDenied: function must not be nil":                        func() { httplimit.WithDenied(nil) },
		"httplimit: WithFailed: function must not be nil":                        func() { httplimit.WithFailed(nil) },
		"httplimit: WithRetries: number must not be negative, got -1":            func() { httplimit.WithRetries(-1) },
		"httplimit: ByForwardedIP: header must not be empty":                     func() { httplimit.ByForwardedIP("") },
		"httplimit: WithPauseStatus: code must be between 100 and 999, got 99":   func() { httplimit.WithPauseStatus(429, 99) },
		"httplimit: WithPauseStatus: code must be between 100 and 999, got 1000": func() { httplimit.WithPauseStatus(1000) },
		"httplimit: WithMaxPause: duration must be positive, got 0s":             func() { httplimit.WithMaxPause(0) },
		"httplimit: WithProxies: header must not be empty":                       func() { httplimit.WithProxies("") },
		"httplimit: WithIPv6Prefix: bits must be between 1 and 128, got 0":       func() { httplimit.WithIPv6Prefix(0) },
		"httplimit: WithIPv6Prefix: bits must be between 1 and 128, got 129":     func() { httplimit.WithIPv6Prefix(129) },
	})
	if !strings.Contains(httplimit.ErrDenied.Error(), "denied") {
		t.Error(httplimit.ErrDenied)
	}
}
