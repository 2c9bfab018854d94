package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/tandemgo/tandem/broadcast"
)

//go:embed live.html
var livePage []byte

// A live server shows the run on a page, while it goes on and after.
type live struct {
	rec    *recorder
	news   *broadcast.Broadcast[Event]
	server http.Server
}

// serveLive starts to serve on ln and returns at once.
func serveLive(ctx context.Context, ln net.Listener, rec *recorder, news *broadcast.Broadcast[Event]) *live {
	l := &live{rec: rec, news: news}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", l.page)
	mux.HandleFunc("GET /events", l.events)
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

// events streams the run as server-sent events: first what has been found so
// far, then news as they come. A viewer that is too slow misses some and is
// told how many; it then asks for the report.
func (l *live) events(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	send := func(event string, v any) error {
		data, err := json.Marshal(v)
		if err != nil {
			return err
		}
		// A viewer that does not read must not keep this goroutine.
		if err := out.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, data); err != nil {
			return err
		}
		return out.Flush()
	}
	// Subscribed first, then looked: nothing falls between.
	sub, err := l.news.Subscribe(broadcast.Name(req.RemoteAddr))
	if err == nil {
		defer sub.Close()
	}
	if send("report", l.rec.snapshot()) != nil {
		return
	}
	if err == nil {
		for missed, e := range sub.All(req.Context()) {
			if missed > 0 && send("missed", missed) != nil || send("progress", e) != nil {
				return
			}
		}
	}
	_ = send("done", l.rec.snapshot())
}
