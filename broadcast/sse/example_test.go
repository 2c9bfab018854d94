package sse_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/broadcast/sse"
)

// Each job has a broadcast of its progress. A viewer gets that of the job in its request: the
// newest value, and those that follow.
func ExampleHandler_perJob() {
	jobs := map[string]*broadcast.Broadcast[int]{"7": broadcast.New[int](broadcast.WithCapacity(16))}
	progress := &sse.Handler[int]{
		Source: func(req *http.Request, opts ...broadcast.SubscribeOption) (*broadcast.Subscription[int], error) {
			return jobs[req.PathValue("id")].Subscribe(opts...)
		},
		Replay: 1,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /jobs/{id}/progress", func(w http.ResponseWriter, req *http.Request) {
		if jobs[req.PathValue("id")] == nil {
			http.NotFound(w, req)
			return
		}
		progress.ServeHTTP(w, req)
	})
	server := httptest.NewServer(mux)
	defer server.Close()

	for _, percent := range []int{0, 50} {
		_ = jobs["7"].TrySend(percent)
	}
	res, err := server.Client().Get(server.URL + "/jobs/7/progress")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	_ = jobs["7"].TrySend(100)
	jobs["7"].Close() // viewers get what is left
	_, _ = io.Copy(os.Stdout, res.Body)
	// Output:
	// :
	// id: 0
	//
	// id: 1
	// data: 50
	//
	// id: 2
	// data: 100
	//
	// event: end
	// data: {}
}

// Events with names, which a page listens to one by one, and of which the first
// tells what there is to know before the news.
func ExampleEvent() {
	type goal struct{ team, player string }
	b := broadcast.New[goal]()
	server := httptest.NewServer(&sse.Handler[goal]{
		Source: sse.From(b),
		Replay: 10,
		Before: func(*http.Request) (sse.Event, error) {
			return sse.Event{Name: "teams", Data: []byte("home, guests")}, nil
		},
		Encode: func(g goal) (sse.Event, error) {
			return sse.Event{Name: g.team, Data: fmt.Appendf(nil, "a goal by %s", g.player)}, nil
		},
	})
	defer server.Close()
	_ = b.TrySend(goal{"home", "Ann"})
	res, err := server.Client().Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	b.Close() // viewers get what is left
	_, _ = io.Copy(os.Stdout, res.Body)
	// Output:
	// :
	// id: -1
	//
	// event: teams
	// data: home, guests
	//
	// id: 0
	// event: home
	// data: a goal by Ann
	//
	// event: end
	// data: {}
}
