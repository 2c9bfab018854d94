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

// Queries with a quorum: three replicas are asked, and two must answer. What was
// written to two of them is then among the answers, as the newest one.
func Example_quorum() {
	old, current := version{6, "closed"}, version{7, "open"}
	stored := []*version{&old, &current, nil} // the third one hangs
	var queries []func(context.Context) (version, error)
	for _, v := range stored {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if v == nil {
				<-r.Context().Done() // it ends with the request, which Quorum cancels
				return
			}
			_ = json.NewEncoder(w).Encode(v)
		}))
		defer server.Close()
		queries = append(queries, func(ctx context.Context) (v version, err error) {
			data, err := download(ctx, server.URL)
			if err != nil {
				return v, err
			}
			return v, json.Unmarshal(data, &v)
		})
	}
	// The deadline is for the case that two of them hang.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	answers, err := fan.Quorum(ctx, 2, queries...)
	if err != nil {
		fmt.Println(err)
		return
	}
	// They come as they are ready, in no order that matters.
	newest := slices.MaxFunc(answers, func(a, b version) int { return a.Number - b.Number })
	fmt.Println(len(answers), "answers, the newest:", newest.Text)

	// As soon as two have failed, there is no need to wait for the third.
	fails := func(context.Context) (version, error) { return version{}, errors.New("disk is full") }
	_, err = fan.Quorum(ctx, 2, fails, fails, queries[2])
	fmt.Println(errors.Is(err, fan.ErrNoQuorum))
	// Output:
	// 2 answers, the newest: open
	// true
}
