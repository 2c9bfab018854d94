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
