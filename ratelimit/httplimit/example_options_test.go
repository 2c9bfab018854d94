package httplimit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/httplimit"
)

// hello is a handler to put limits on.
var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })

// visit asks a handler for a path, as a client with the address 192.0.2.1 would.
func visit(h http.Handler, path string) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
	return rec
}

// Each client address may spend 10 at once; a search costs 5.
func ExampleWithCost() {
	limit := httplimit.Middleware(
		ratelimit.NewKeyed[netip.Prefix](ratelimit.Every(time.Hour), 10),
		httplimit.ByIP,
		httplimit.WithCost(func(r *http.Request) int {
			if r.URL.Path == "/search" {
				return 5
			}
			return 1
		}))
	h := limit(hello)
	for _, path := range []string{"/search", "/", "/search", "/"} {
		fmt.Println(path, visit(h, path).Code)
	}
	// Output:
	// /search 200
	// / 200
	// /search 429
	// / 200
}

// A page that is dear to make is made once a minute at the most, whoever asks.
func ExampleByPath() {
	limit := httplimit.Middleware(
		ratelimit.NewKeyed[string](ratelimit.Every(time.Minute), 1), httplimit.ByPath)
	h := limit(hello)
	fmt.Println(visit(h, "/report").Code, visit(h, "/report").Code, visit(h, "/other").Code)
	// Output: 200 429 200
}

// Clients that want to behave are told how they stand.
func ExampleExposeLimits() {
	limit := httplimit.Middleware(
		ratelimit.NewKeyed[netip.Prefix](ratelimit.Every(time.Minute), 3), httplimit.ByIP, httplimit.ExposeLimits())
	header := visit(limit(hello), "/").Header()
	fmt.Println(header.Get("RateLimit-Policy"))
	fmt.Println(header.Get("RateLimit"))
	// Output:
	// "default";q=3
	// "default";r=2;t=60
}

// An API answers in its own language what is too much.
func ExampleWithDenied() {
	limit := httplimit.Middleware(
		ratelimit.NewKeyed[netip.Prefix](ratelimit.Every(time.Minute), 1), httplimit.ByIP,
		httplimit.WithDenied(func(w http.ResponseWriter, _ *http.Request, d ratelimit.Decision) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusTooManyRequests)
			fmt.Fprintf(w, `{"limit":%d}`, d.Limit)
		}))
	h := limit(hello)
	fmt.Println(visit(h, "/").Body)
	denied := visit(h, "/")
	fmt.Println(denied.Code, denied.Body, denied.Header().Get("Retry-After"))
	// Output:
	// hello
	// 429 {"limit":1} 60
}

// outOfReach is a limiter on a server that does not answer.
type outOfReach struct{}

func (outOfReach) Take(context.Context, string, int) (ratelimit.Decision, error) {
	return ratelimit.Decision{}, errors.New("no route to host")
}

// When nobody knows whether it is too much, this server lets everything through.
func ExampleWithFailed() {
	limit := httplimit.Middleware(outOfReach{}, httplimit.ByPath,
		httplimit.WithFailed(func(w http.ResponseWriter, r *http.Request, err error) {
			fmt.Println("unlimited:", err)
			hello(w, r)
		}))
	fmt.Println(visit(limit(hello), "/").Body)
	// Output:
	// unlimited: no route to host
	// hello
}

// A server that is busy is asked again after its Retry-After.
func ExampleWithRetries() {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked == 1 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, "hello")
	}))
	defer server.Close()
	client := &http.Client{Transport: httplimit.NewTransport(server.Client().Transport,
		ratelimit.NewKeyed[string](ratelimit.Per(100, time.Second), 100), httplimit.ByHost, httplimit.WithRetries(3))}
	res, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = res.Body.Close()
	fmt.Println(res.Status, "when asked", asked, "times")
	// Output: 200 OK when asked 2 times
}

// allowed is a limiter that lets some hosts be asked, and others never.
type allowed map[string]bool

func (a allowed) Take(_ context.Context, host string, _ int) (ratelimit.Decision, error) {
	if !a[host] {
		return ratelimit.Decision{RetryAfter: ratelimit.Never}, nil
	}
	return ratelimit.Decision{OK: true}, nil
}

// A request that will never be granted fails at once and is not sent.
func ExampleErrDenied() {
	client := &http.Client{Transport: httplimit.NewTransport(nil, allowed{"api.example": true}, httplimit.ByHost)}
	_, err := client.Get("http://elsewhere.example")
	fmt.Println(errors.Is(err, httplimit.ErrDenied))
	// Output: true
}

// Customers of this provider have a /56 each, and requests come through a proxy.
func ExampleByClientIP() {
	key := httplimit.ByClientIP(
		httplimit.WithIPv6Prefix(56),
		httplimit.WithProxies("X-Forwarded-For", netip.MustParsePrefix("10.0.0.0/8")))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = "10.1.2.3:4567"
	r.Header.Set("X-Forwarded-For", "2001:db9:1:23::4")
	fmt.Println(key(r))
	// Output: 2001:db9:1::/56
}

// On a network of one's own, each IPv6 address is a client.
func ExampleWithIPv6Prefix() {
	key := httplimit.ByClientIP(httplimit.WithIPv6Prefix(128))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = "[fd00::1:2]:4567"
	fmt.Println(key(r))
	// Output: fd00::1:2/128
}

// The only peer of a server on a Unix socket is its proxy, which has no address.
func ExampleWithProxies() {
	key := httplimit.ByClientIP(httplimit.WithProxies("Forwarded", netip.Prefix{}))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = "@"
	r.Header.Set("Forwarded", `for=192.0.2.7;host="example.com:8080"`)
	fmt.Println(key(r))
	// Output: 192.0.2.7/32
}

// A client of GitHub leaves it alone after a 403, too, but not for longer than its
// users would wait.
func ExampleWithPauseStatus() {
	client := &http.Client{Transport: httplimit.NewTransport(nil,
		ratelimit.NewKeyed[string](ratelimit.Per(10, time.Second), 10), httplimit.ByHost,
		httplimit.WithPauseStatus(http.StatusForbidden, http.StatusTooManyRequests),
		httplimit.WithMaxPause(time.Minute))}
	fmt.Println(client.Transport != nil)
	// Output: true
}

// A server that asks for an hour is asked again after 10 ms.
func ExampleWithMaxPause() {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked == 1 {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}))
	defer server.Close()
	client := &http.Client{Transport: httplimit.NewTransport(server.Client().Transport,
		ratelimit.NewKeyed[string](ratelimit.Per(100, time.Second), 100), httplimit.ByHost,
		httplimit.WithMaxPause(10*time.Millisecond))}
	for range 2 {
		res, err := client.Get(server.URL)
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = res.Body.Close()
		fmt.Println(res.Status)
	}
	// Output:
	// 429 Too Many Requests
	// 200 OK
}
