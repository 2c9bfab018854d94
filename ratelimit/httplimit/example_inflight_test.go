package httplimit_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/tandemgo/tandem/inflight"
	"github.com/tandemgo/tandem/ratelimit/httplimit"
)

// A server that learns how many requests it can serve at once, and turns away what is more.
func ExampleInFlight() {
	l := inflight.NewAdaptive(1, 1000, inflight.Vegas())
	busy, _ := l.TryAcquire(1) // by another request
	h := httplimit.InFlight(l, time.Second)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }))
	ask := func() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		fmt.Printf("%d %q\n", w.Code, w.Header().Get("Retry-After"))
	}
	ask()
	busy.Release(inflight.Success)
	ask()
	// Output:
	// 503 "1"
	// 200 ""
}

// A client that has no more than ten requests in flight at once, and fewer if the server
// can't cope.
func ExampleNewInFlightTransport() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }))
	defer server.Close()
	l := inflight.NewAdaptive(1, 10, inflight.AIMD(time.Minute))
	client := http.Client{Transport: httplimit.NewInFlightTransport(server.Client().Transport, l)}
	res, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(res.StatusCode, l.Stats().InFlight)
	_ = res.Body.Close()
	fmt.Println(l.Stats().InFlight)
	// Output:
	// 200 1
	// 0
}
