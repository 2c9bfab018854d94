package httplimit_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/httplimit"
)

// Each user of a server may ask twice at once, and then every hour.
func ExampleMiddleware() {
	limit := httplimit.Middleware(
		ratelimit.NewKeyed[string](ratelimit.Every(time.Hour), 2),
		httplimit.ByHeader("X-Api-Key"))
	server := httptest.NewServer(limit(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })))
	defer server.Close()
	for _, key := range []string{"ann", "ann", "ann", "bob"} {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, server.URL, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		req.Header.Set("X-Api-Key", key)
		res, err := server.Client().Do(req)
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = res.Body.Close()
		fmt.Printf("%s %s %q\n", key, res.Status, res.Header.Get("Retry-After"))
	}
	// Output:
	// ann 200 OK ""
	// ann 200 OK ""
	// ann 429 Too Many Requests "3600"
	// bob 200 OK ""
}

// A client that never asks more often than its servers like.
func ExampleNewTransport() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	defer server.Close()
	client := &http.Client{Transport: httplimit.NewTransport(server.Client().Transport,
		ratelimit.NewKeyed[string](ratelimit.Per(1000, time.Second), 1), httplimit.ByHost)}
	start := time.Now()
	for range 5 {
		res, err := client.Get(server.URL)
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = res.Body.Close()
	}
	fmt.Println(time.Since(start) >= 4*time.Millisecond)
	// Output: true
}

// Behind a proxy, the address of the client is in a header of the proxy.
func ExampleByForwardedIP() {
	key := httplimit.ByForwardedIP("X-Forwarded-For", netip.MustParsePrefix("10.0.0.0/8"))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Forwarded-For", "2001:db9:1:2:3::4")
	r.RemoteAddr = "10.1.2.3:4567"
	fmt.Println(key(r))
	r.RemoteAddr = "192.0.2.7:4567" // not our proxy
	fmt.Println(key(r))
	// Output:
	// 2001:db9:1:2::/64
	// 192.0.2.7/32
}
