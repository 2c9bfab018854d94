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
	"github.com/tandemgo/tandem/debug"
)

//go:embed page
var pageFiles embed.FS

type config struct {
	every        time.Duration
	retain       int
	writeTimeout time.Duration // 0: the default of sse
	retry        time.Duration // 0: the browser's
}

// serve sends samples and serves them on ln until ctx has ended.
func serve(ctx context.Context, ln net.Listener, c config) error {
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		return err
	}
	feed := broadcast.New[Sample](broadcast.WithCapacity(c.retain), broadcast.Traced())
	seen := &debug.Handler{}
	debug.Add(seen, "feed", feed)
	var wg sync.WaitGroup
	defer wg.Wait()
	stopped, stop := context.WithCancel(ctx)
	defer stop()
	wg.Go(func() { publish(stopped, feed, c.every) })

	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.Handle("GET /debug/tandem", seen)
	run := strconv.FormatInt(time.Now().UnixNano(), 36)
	mux.Handle("GET /events", &sse.Handler[Sample]{
		Source:       sse.From(feed),
		Replay:       c.retain,
		Run:          run,
		WriteTimeout: c.writeTimeout,
		Retry:        c.retry,
	})
	pause := time.Duration(c.retain)*c.every + 5*time.Second // so that something is gone after it
	mux.Handle("GET /slow", slow(stopped, pause, &sse.Handler[Sample]{
		Source:       sse.From(feed),
		Run:          run,
		WriteTimeout: 2 * pause,
		Name:         func(*http.Request) string { return "slow viewer" },
	}))
	mux.HandleFunc("GET /viewers.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(feed.Stats())
	})
	server := &http.Server{Handler: secure(mux), ReadHeaderTimeout: 10 * time.Second}
	wg.Go(func() {
		<-stopped.Done()
		// First close the server to new viewers, which should find the next run and not
		// the end of this one. Then send the end to the present viewers.
		listening := make(chan struct{})
		server.RegisterOnShutdown(func() { close(listening) })
		grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		wg.Go(func() {
			<-listening
			_ = feed.Close() // it returns nil
			_ = seen.Close()
		})
		if server.Shutdown(grace) != nil {
			_ = server.Close() // a viewer does not read
		}
	})
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// publish sends a sample at each tick until ctx has ended.
func publish(ctx context.Context, feed *broadcast.Broadcast[Sample], every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for s := newSampler(); ; {
		select {
		case now := <-tick.C:
			_ = feed.Send(ctx, s.take(now)) // fails only if the feed is closed or ctx has ended
		case <-ctx.Done():
			return
		}
	}
}

// slow makes a viewer slow: it takes data only after a pause.
func slow(ctx context.Context, pause time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		next.ServeHTTP(&slowWriter{ResponseWriter: w, req: req.Context(), ctx: ctx, pause: pause}, req)
	})
}

type slowWriter struct {
	http.ResponseWriter
	req, ctx context.Context // of the viewer and of the server
	pause    time.Duration
	begun    bool
}

func (w *slowWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *slowWriter) Write(p []byte) (int, error) {
	if w.begun { // the first write is the answer as such
		select {
		case <-time.After(w.pause):
		case <-w.req.Done():
		case <-w.ctx.Done():
		}
	}
	w.begun = true
	return w.ResponseWriter.Write(p)
}

func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		// uPlot sets styles of elements.
		w.Header().Set("Content-Security-Policy", "default-src 'self'; img-src data:; style-src 'self' 'unsafe-inline'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, req)
	})
}
