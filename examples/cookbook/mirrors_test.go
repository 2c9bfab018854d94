package cookbook_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/tandemgo/tandem/fan"
)

// First of several mirrors: all are asked, the first good answer wins, and the
// requests to the others are cancelled.
func Example_firstOfSeveralMirrors() {
	want := sha256.Sum256([]byte("the release"))
	good := mirror(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the release") })
	bad := mirror(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the release, and a virus") })
	down := mirror(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	stuck := mirror(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	var fetches []func(context.Context) ([]byte, error)
	for _, m := range []*httptest.Server{stuck, bad, down, good} {
		defer m.Close()
		fetches = append(fetches, func(ctx context.Context) ([]byte, error) {
			data, err := download(ctx, m.URL)
			// The first result without an error wins, so a result that cannot be used
			// must be an error.
			if err == nil && sha256.Sum256(data) != want {
				return nil, errors.New("checksum is wrong")
			}
			return data, err
		})
	}
	data, err := fan.First(context.Background(), fetches...)
	fmt.Printf("%s, %v\n", data, err)

	// If all fail, the error has the errors of all, in the order of the mirrors.
	_, err = fan.First(context.Background(), fetches[1:3]...)
	fmt.Println(err)
	// Output:
	// the release, <nil>
	// fan: not enough functions succeeded: 1 needed, 2 of 2 failed
	// task 0: checksum is wrong
	// task 1: 502 Bad Gateway
}

func mirror(h http.HandlerFunc) *httptest.Server { return httptest.NewServer(h) }

func download(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, errors.New(res.Status)
	}
	return io.ReadAll(res.Body)
}
