package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"net"
	"net/http"
	"time"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/broadcast/sse"
)

//go:embed live.html
var livePage []byte

// A live server shows the run on a page, during the run and after it.
type live struct {
	rec    *recorder
	news   *broadcast.Broadcast[Event]
	server http.Server
}

// serveLive starts a server on ln and returns at once.
func serveLive(ctx context.Context, ln net.Listener, rec *recorder, news *broadcast.Broadcast[Event]) *live {
	l := &live{rec: rec, news: news}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", l.page)
	mux.Handle("GET /events", l.events())
	mux.HandleFunc("GET /report.json", l.report)
	l.server = http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	go func() { _ = l.server.Serve(ln) }() // ends by close
	return l
}

func (l *live) close() { _ = l.server.Close() }

func (l *live) page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(livePage)
}

func (l *live) report(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = l.rec.snapshot().WriteJSON(w)
}

// events streams the run as server-sent events: first the findings so far, then new
// ones. A viewer that is too slow misses events and gets their number; it then requests
// the report.
func (l *live) events() http.Handler {
	report := func(name string) func(*http.Request) (sse.Event, error) {
		return func(*http.Request) (sse.Event, error) {
			data, err := json.Marshal(l.rec.snapshot())
			return sse.Event{Name: name, Data: data}, err
		}
	}
	return &sse.Handler[Event]{
		Source: sse.From(l.news),
		Before: report("report"),
		After:  report("done"),
		Encode: func(e Event) (sse.Event, error) {
			data, err := json.Marshal(e)
			return sse.Event{Name: "progress", Data: data}, err
		},
	}
}
