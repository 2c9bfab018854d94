package sse_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/broadcast/sse"
	"github.com/tandemgo/tandem/internal/browser"
)

// A page with an EventSource, which reports all that happens to it, one after the
// other.
const page = `<!doctype html><meta charset=utf-8><title>sse</title><script>
let last = Promise.resolve();
const es = new EventSource('/events');
const report = e => {
  const body = JSON.stringify({Name: e.type, ID: e.lastEventId ?? '', Data: String(e.data ?? es.readyState)});
  last = last.then(() => fetch('/report', {method: 'POST', body}));
};
for (const name of ['open', 'error', 'message', 'gap', 'reset', 'end']) es.addEventListener(name, report);
</script>`

// A beating is a response that tells when it is flushed.
type beating struct {
	http.ResponseWriter
	beat func()
}

func (w beating) Unwrap() http.ResponseWriter { return w.ResponseWriter }
func (w beating) FlushError() error {
	defer w.beat()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// A real browser, over HTTP/1.1 and HTTP/2: its stream outlives its deadlines; it goes
// on exactly where it was when the connection breaks before the first event, in the
// middle, or for good; and it stops at the end.
func TestBrowser(t *testing.T) {
	b := browser.Start(t)
	for _, over := range []transport{transports[0], transports[2]} {
		t.Run(over.name, func(t *testing.T) {
			t.Parallel() // it waits for heartbeats most of the time
			browse(t, b, over)
		})
	}
}

func browse(t *testing.T, chromium *browser.Browser, over transport) {
	const run = "h\u00e9"
	b := broadcast.New[int](broadcast.WithCapacity(4))
	h := &sse.Handler[int]{
		Source: sse.From(b), Run: run, WriteTimeout: 3 * time.Second, Heartbeat: 4 * time.Second, Retry: 500 * time.Microsecond,
		Encode: func(v int) (sse.Event, error) {
			if v == 1 {
				panic("poison")
			}
			return sse.Event{Data: fmt.Append(nil, v)}, nil
		},
	}
	// What happens on each connection, in turn: what the browser says that it has seen,
	// what is done before it is served, and what must have come to it when it breaks.
	type connection struct {
		last   string
		before func()
		beats  int
		event  string
		abort  bool // break as if the network did
	}
	connections := []connection{
		{last: "", beats: 3, abort: true}, // quiet for longer than its deadline
		{last: run + "--1", before: func() { sendAll(t, b, 0, 3) }, event: "2"},
		{last: run + "-2", before: func() { sendAll(t, b, 3, 8) }, event: "7", abort: true},
		{last: run + "-7", before: func() { sendAll(t, b, 8, 10); b.Close() }},
		{last: run + "-9"},
	}
	want := []event{
		{"", "open", "1"}, {"", "error", "0"},
		{"", "open", "1"}, {run + "-0", "message", "0"}, {run + "-1", "gap", `{"missed":1,"error":"Encode panicked"}`}, {run + "-2", "message", "2"}, {"", "error", "0"},
		{"", "open", "1"}, {run + "-3", "gap", `{"missed":1}`}, {run + "-4", "message", "4"}, {run + "-5", "message", "5"}, {run + "-6", "message", "6"}, {run + "-7", "message", "7"}, {"", "error", "0"},
		{"", "open", "1"}, {run + "-8", "message", "8"}, {run + "-9", "message", "9"}, {run + "-9", "end", "{}"}, {"", "error", "0"},
		{"", "error", "2"}, // it has stopped
	}

	var mu sync.Mutex
	var got []event
	var awaited string // the data of the event at which leave is called
	var leave func()
	next := 0
	stopped := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, page)
	})
	mux.HandleFunc("POST /report", func(_ http.ResponseWriter, req *http.Request) {
		var ev event
		if err := json.NewDecoder(req.Body).Decode(&ev); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, ev)
		if awaited != "" && ev.Data == awaited {
			leave()
		}
		if ev.Name == "error" && ev.Data == "2" {
			close(stopped)
		}
	})
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		number := next
		next++
		mu.Unlock()
		if number >= len(connections) {
			t.Error("the browser came back after 204")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		c := connections[number]
		if last := req.Header.Get("Last-Event-ID"); last != c.last {
			t.Errorf("connection %d: the browser has seen %q, want %q", number, last, c.last)
		}
		if c.before != nil {
			c.before()
		}
		ctx, cancel := context.WithCancel(req.Context())
		defer cancel()
		if c.beats > 0 {
			beats := 0
			w = beating{w, func() {
				if beats++; beats == c.beats {
					cancel()
				}
			}}
		}
		mu.Lock()
		awaited, leave = c.event, cancel
		mu.Unlock()
		h.ServeHTTP(w, req.WithContext(ctx))
		if c.abort {
			panic(http.ErrAbortHandler)
		}
	})
	s := over.serve(t, mux)
	chromium.Open(s.server.URL + "/")
	select {
	case <-stopped:
	case <-time.After(2 * time.Minute):
		t.Error("the browser has not stopped")
	}
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what happened on the page (-want +got):\n%s", diff)
	}
}
