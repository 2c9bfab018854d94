package sse_test

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
)

// A pipeListener accepts connections that are made in this process, so that a server
// runs in a bubble of synctest.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

// inBubble serves h in the bubble of t, over HTTP/1.1 or HTTP/2, and returns a client
// and what ends both.
func (over transport) inBubble(t *testing.T, h http.Handler, server *http.Server) (client *http.Client, stop func()) {
	over.tls = false
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	server.Handler, server.Protocols = h, over.protocols()
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	tr := &http.Transport{
		Protocols: over.protocols(),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			theirs, ours := net.Pipe()
			select {
			case l.conns <- theirs:
				return ours, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
	}
	return &http.Client{Transport: tr}, func() {
		_ = server.Close()
		tr.CloseIdleConnections()
		serving.Wait()
	}
}
