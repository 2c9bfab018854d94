package cookbook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"time"

	"github.com/tandemgo/tandem/fan"
)

// A version of a value, as replicas store it.
type version struct {
	Number int
	Text   string
}

// Queries with a quorum: three replicas are asked, and two must answer. A value that
// was written to two of them is then among the answers, as the newest one.
func Example_quorum() {
	old, current := version{6, "closed"}, version{7, "open"}
	stored := []*version{&old, &current, nil} // the third one hangs
	var queries []func(context.Context) (version, error)
	for _, v := range stored {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if v == nil {
				<-r.Context().Done() // Quorum cancels the request
				return
			}
			_ = json.NewEncoder(w).Encode(v)
		}))
		defer server.Close()
		queries = append(queries, func(ctx context.Context) (v version, err error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
			if err != nil {
				return v, err
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				return v, err
			}
			defer func() { _ = res.Body.Close() }()
			return v, json.NewDecoder(res.Body).Decode(&v)
		})
	}
	// The deadline is for the case that two replicas hang.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	answers, err := fan.Quorum(ctx, 2, queries...)
	if err != nil {
		fmt.Println(err)
		return
	}
	// The answers have the order in which they arrive.
	newest := slices.MaxFunc(answers, func(a, b version) int { return a.Number - b.Number })
	fmt.Println(len(answers), "answers, the newest:", newest.Text)

	// Once two have failed, Quorum does not wait for the third.
	fails := func(context.Context) (version, error) { return version{}, errors.New("disk is full") }
	_, err = fan.Quorum(ctx, 2, fails, fails, queries[2])
	fmt.Println(errors.Is(err, fan.ErrNoQuorum))
	// Output:
	// 2 answers, the newest: open
	// true
}
