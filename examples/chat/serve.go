package main

import (
	"context"
	_ "embed"
	"errors"
	"net"
	"net/http"
	"time"
)

//go:embed page.html
var page []byte

// serve serves the hub on ln until ctx has ended.
func serve(ctx context.Context, ln net.Listener, h *hub) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(page) })
	mux.Handle("GET /room/{room}", h)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		// Shutdown does not know of connections that have become WebSockets.
		ended <- errors.Join(server.Shutdown(grace), h.close(grace))
	}()
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-ended
}
