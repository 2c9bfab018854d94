package cookbook_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/tandemgo/tandem/pipeline"
)

// Retry with backoff: a busy service is asked again after growing delays. Items without
// an answer are reported, and the run goes on.
func Example_retryWithBackoff() {
	var mu sync.Mutex
	asked := map[string]int{}
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch asked[r.URL.Path]++; {
		case r.URL.Path == "/gone":
			w.WriteHeader(http.StatusNotFound)
		case r.URL.Path == "/broken", asked[r.URL.Path] < 3:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer service.Close()

	type answer struct {
		path   string
		status int
	}
	get := pipeline.MapOr(func(ctx context.Context, path string) (answer, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, service.URL+path, nil)
		if err != nil {
			return answer{}, err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return answer{}, err
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s", path, res.Status)
		}
		if res.StatusCode == http.StatusNotFound {
			err = pipeline.Permanent(err) // a retry would not help
		}
		return answer{path, res.StatusCode}, err
	}, func(_ context.Context, f pipeline.Failure[string]) (answer, error) {
		fmt.Printf("given up after %d: %v\n", f.Attempts, f.Err)
		return answer{}, pipeline.ErrSkip
	},
		pipeline.WithWorkers(4), // the others work while one waits to retry
		pipeline.WithTimeout(time.Minute),
		pipeline.WithRetry(pipeline.RetryPolicy{Attempts: 5, Delay: time.Millisecond, MaxDelay: time.Second}))

	fmt.Println(get.Collect(context.Background(), pipeline.Values("/a", "/gone", "/broken", "/b")))
	fmt.Println(asked) // the run is over: no call is left
	// Unordered output:
	// given up after 5: /broken: 503 Service Unavailable
	// given up after 1: /gone: 404 Not Found
	// [{/a 200} {/b 200}] <nil>
	// map[/a:3 /b:3 /broken:5 /gone:1]
}
