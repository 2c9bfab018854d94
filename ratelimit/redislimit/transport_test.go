package redislimit_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/httplimit"
	"github.com/tandemgo/tandem/ratelimit/redislimit"
)

// R3: an HTTP client with many requests to one host asks Redis once for each of them,
// and sends them in the order in which they came, also after a pause that the server
// has asked for.
func TestR3ATransportAsksOncePerRequest(t *testing.T) {
	f, client := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		const requests = 100
		var mu sync.Mutex
		var sent []string
		busy := true // the first answer
		server := roundTrip(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			if busy {
				busy = false
				return &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"60"}}, Body: http.NoBody}, nil
			}
			sent = append(sent, r.URL.Path)
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
		})
		limit := redislimit.New[string](client, ratelimit.Every(time.Second), 1)
		c := &http.Client{Transport: httplimit.NewTransport(server, limit, httplimit.ByHost, httplimit.WithRetries(1))}
		var want []string
		var wg sync.WaitGroup
		for i := range requests {
			path := fmt.Sprintf("/%d", i)
			want = append(want, path)
			wg.Go(func() {
				res, err := c.Get("http://a.example" + path)
				if err != nil {
					t.Error(err)
					return
				}
				_ = res.Body.Close()
			})
			synctest.Wait()
		}
		wg.Wait()
		if fmt.Sprint(sent) != fmt.Sprint(want) {
			t.Errorf("the order is %v", sent)
		}
		// The first request is sent twice, and those that were waiting when the pause
		// began ask again after it; the one in front alone has asked Redis by then.
		if n := f.called(); n > requests+3 {
			t.Errorf("%d calls of Redis for %d requests", n, requests)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (fn roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return fn(r) }
