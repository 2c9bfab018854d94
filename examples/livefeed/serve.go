package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/broadcast/sse"
)

//go:embed page
var pageFiles embed.FS

type config struct {
	every        time.Duration
	retain       int
	writeTimeout time.Duration // 0: that of sse
	retry        time.Duration // 0: the browser's
}

// serve sends samples and serves them on ln until ctx has ended.
func serve(ctx context.Context, ln net.Listener, c config) error {
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		return err
	}
	feed := broadcast.New[Sample](broadcast.WithCapacity(c.retain))
	var wg sync.WaitGroup
	defer wg.Wait()
	stopped, stop := context.WithCancel(ctx)
	defer stop()
	wg.Go(func() { publish(stopped, feed, c.every) })

	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.Handle("GET /events", &sse.Handler[Sample]{
		Source:       sse.From(feed),
		Replay:       c.retain,
		Run:          strconv.FormatInt(time.Now().UnixNano(), 36),
		WriteTimeout: c.writeTimeout,
		Retry:        c.retry,
	})
	mux.HandleFunc("GET /viewers.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(feed.Stats())
	})
	server := &http.Server{Handler: secure(mux), ReadHeaderTimeout: 10 * time.Second}
	wg.Go(func() {
		<-stopped.Done()
		// New viewers are turned away first: they shall find the next run, and not
		// the end of this one. Then those that are here are sent the end.
		listening := make(chan struct{})
		server.RegisterOnShutdown(func() { close(listening) })
		grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		wg.Go(func() {
			<-listening
			_ = feed.Close() // it returns nil
		})
		if server.Shutdown(grace) != nil {
			_ = server.Close() // a viewer takes nothing
		}
	})
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// publish sends a sample now and then until ctx has ended.
func publish(ctx context.Context, feed *broadcast.Broadcast[Sample], every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for s := newSampler(); ; {
		select {
		case now := <-tick.C:
			_ = feed.Send(ctx, s.take(now)) // the feed is closed, or ctx has ended
		case <-ctx.Done():
			return
		}
	}
}

func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		// uPlot sets styles of elements.
		w.Header().Set("Content-Security-Policy", "default-src 'self'; img-src data:; style-src 'self' 'unsafe-inline'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, req)
	})
}
