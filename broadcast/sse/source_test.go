package sse_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/broadcast/sse"
)

// S6: an event is encoded once for all viewers that are not far apart, and each gets all;
// a viewer that is far behind the others gets the same.
func TestS6EncodedOnce(t *testing.T) {
	overEach(t, func(t *testing.T, over transport) {
		const n, viewers = 250, 8
		var encoded atomic.Int32
		b := broadcast.New[int]()
		s := over.serve(t, &sse.Handler[int]{Source: sse.From(b), Encode: func(v int) (sse.Event, error) {
			encoded.Add(1)
			return sse.Event{Data: fmt.Append(nil, v)}, nil
		}})
		var all []*viewer
		for range viewers {
			all = append(all, s.open(t, ""))
		}
		sendAll(t, b, 0, n)
		for len(all) < 2*viewers { // these begin while others stream
			all = append(all, s.open(t, "-1"))
		}
		var wg sync.WaitGroup
		for _, v := range all {
			wg.Go(func() {
				for i := range n {
					if ev, err := v.next(); err != nil || ev.Data != fmt.Sprint(i) || ev.ID != fmt.Sprint(i) {
						t.Errorf("%+v, %v; want %d", ev, err, i)
						return
					}
				}
			})
		}
		wg.Wait()
		if got := encoded.Load(); got != n {
			t.Errorf("encoded %d times, want %d", got, n)
		}
		sendAll(t, b, n, 1000)
		late := s.open(t, "9")
		b.Close()
		for _, v := range append(all, late) {
			from := n
			if v == late {
				from = 10
			}
			if diff := cmp.Diff(then(numbers("", from, 1000), ended("999")), v.rest(t)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
	})
}

// C8: an event that is very large is not kept for later viewers, who get it all the same.
func TestC8LargeEventsAreNotKept(t *testing.T) {
	overEach(t, func(t *testing.T, over transport) {
		const viewers = 3
		large := strings.Repeat("x", 100<<10)
		var encoded atomic.Int32
		b := broadcast.New[string]()
		s := over.serve(t, &sse.Handler[string]{Source: sse.From(b), Replay: 1, Encode: func(v string) (sse.Event, error) {
			encoded.Add(1)
			return sse.Event{Data: []byte(v)}, nil
		}})
		must(0, b.Send(t.Context(), large))
		for range viewers {
			v := s.open(t, "")
			if ev, err := v.next(); err != nil || ev.Data != large {
				t.Errorf("got %d bytes, %v", len(ev.Data), err)
			}
		}
		if n := encoded.Load(); n != viewers {
			t.Errorf("encoded %d times, want %d", n, viewers)
		}
	})
}

// C8: what is kept for viewers goes with the last of them.
func TestS6NothingIsKeptWithoutViewers(t *testing.T) {
	type blob struct{ N [100]int }
	source := broadcast.New[*blob]()
	h := &sse.Handler[*blob]{Source: func(_ *http.Request, opts ...broadcast.SubscribeOption) (*broadcast.Subscription[*blob], error) {
		return source.Subscribe(opts...)
	}, Replay: 10}
	old := weak.Make(source)
	must(0, source.TrySend(&blob{}))
	must(0, source.Close())
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	if !strings.Contains(w.Body.String(), "data: ") {
		t.Fatalf("%s", w.Body)
	}
	source = nil
	runtime.GC()
	runtime.GC()
	if old.Value() != nil {
		t.Error("a broadcast without viewers is kept")
	}
	runtime.KeepAlive(h)
}

type letter struct {
	To string
	N  int
}

// mine gives each viewer the letters to the user of the request.
func mine(req *http.Request) func(letter) bool {
	user := req.URL.Query().Get("user")
	if user == "" {
		return nil
	}
	return func(l letter) bool { return l.To == user }
}

func letters(ns ...int) (events []event) {
	for _, n := range ns {
		events = append(events, event{fmt.Sprint(n), "message", string(must(json.Marshal(letter{[]string{"ann", "bob"}[n%2], n})))})
	}
	return events
}

// S7: a viewer with a filter gets its values only, and resumes exactly: nothing twice,
// nothing lost, no gap.
func TestS7FilteredViewersResume(t *testing.T) {
	overEach(t, func(t *testing.T, over transport) {
		b := broadcast.New[letter]()
		s := over.serve(t, &sse.Handler[letter]{Source: sse.From(b), Filter: mine})
		send := func(from, to int) {
			for n := from; n < to; n++ {
				must(0, b.TrySend(letter{[]string{"ann", "bob"}[n%2], n}))
			}
		}
		ann := newViewer(s.get(t, "/?user=ann", "-1"))
		all := newViewer(s.get(t, "/", "-1"))
		send(0, 4)
		for _, want := range letters(0, 2) {
			if ev, err := ann.next(); ev != want || err != nil {
				t.Errorf("%+v, %v; want %+v", ev, err, want)
			}
		}
		ann.leave()
		send(4, 8)
		back := newViewer(s.get(t, "/?user=ann", ann.last))
		send(8, 9)
		b.Close()
		if diff := cmp.Diff(then(letters(4, 6, 8), ended("8")), back.rest(t)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(then(letters(0, 1, 2, 3, 4, 5, 6, 7, 8), ended("8")), all.rest(t)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// S7, S4: a viewer whose filter lets nothing through gets heartbeats, which say where it
// is to come back to.
func TestS7AFilterThatLetsNothingThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[letter]()
		h := &sse.Handler[letter]{Source: sse.From(b), Filter: mine, Heartbeat: time.Minute}
		go func() {
			for n := range 100 {
				time.Sleep(7100 * time.Millisecond) // first, so that the viewer is there
				must(0, b.TrySend(letter{"bob", n}))
			}
			b.Close()
		}()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?user=ann", nil))
		var want strings.Builder
		want.WriteString(":\nid: -1\n\n")
		for n := 1; n < 12; n++ {
			fmt.Fprintf(&want, "id: %d\n\n", n*60_000/7100-1)
		}
		if diff := cmp.Diff(want.String()+"event: end\ndata: {}\n\n", w.Body.String()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// S8: what a viewer gets depends on its request: a topic, or several on one connection.
func TestS8TopicsOfARequest(t *testing.T) {
	overEach(t, func(t *testing.T, over transport) {
		rooms := broadcast.NewTopics[string, int]()
		s := over.serve(t, &sse.Handler[int]{
			Source: func(req *http.Request, opts ...broadcast.SubscribeOption) (*broadcast.Subscription[int], error) {
				switch names := req.URL.Query()["room"]; len(names) {
				case 0:
					return nil, errors.New("no room")
				case 1:
					return rooms.Subscribe(names[0], opts...)
				default:
					return rooms.SubscribeKeys(names, opts...)
				}
			},
		})
		a, ab := newViewer(s.get(t, "/?room=a", "")), newViewer(s.get(t, "/?room=a&room=b", ""))
		must(0, rooms.TrySend("a", 0))
		must(0, rooms.TrySend("b", 1))
		must(0, rooms.TrySend("c", 2))
		if ev, err := ab.next(); ev != (event{"0", "message", "0"}) || err != nil {
			t.Errorf("%+v, %v", ev, err)
		}
		ab.leave()
		back := newViewer(s.get(t, "/?room=a&room=b", ab.last))
		must(0, rooms.TrySend("b", 3))
		rooms.Close()
		if diff := cmp.Diff([]event{{"0", "message", "0"}, ended("0")}, a.rest(t)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		got := back.rest(t) // its log is gone: it is told
		if len(got) != 3 || got[0].Name != "gap" || !strings.Contains(got[0].Data, `"atLeast":true`) || got[1].Data != "3" {
			t.Errorf("%+v", got)
		}
		for path, want := range map[string]int{"/": http.StatusInternalServerError, "/?room=a": http.StatusNoContent} {
			if res := s.get(t, path, ""); res.StatusCode != want {
				t.Errorf("%s: status %s", path, res.Status)
			}
		}
	})
}

// Each viewer gets the messages to itself, and resumes exactly after a break.
func ExampleFrom() {
	type message struct{ To, Text string }
	all := broadcast.New[message]()
	server := httptest.NewServer(&sse.Handler[message]{
		Source: sse.From(all),
		Filter: func(req *http.Request) func(message) bool {
			user := req.URL.Query().Get("user")
			return func(m message) bool { return m.To == user }
		},
		Replay: 10,
	})
	defer server.Close()
	_ = all.TrySend(message{"ann", "hello"})
	_ = all.TrySend(message{"bob", "secret"})
	_ = all.Close()
	res, err := server.Client().Get(server.URL + "?user=ann")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	_, _ = io.Copy(os.Stdout, res.Body)
	// Output:
	// :
	// id: -1
	//
	// id: 0
	// data: {"To":"ann","Text":"hello"}
	//
	// event: end
	// data: {}
}
