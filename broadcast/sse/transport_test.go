package sse_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// A transport is a way from a server to its clients. What is true of a Handler is
// true over each of them.
type transport struct {
	name string
	tls  bool
	h2   bool
}

var transports = []transport{
	{name: "HTTP/1.1"},
	{name: "HTTP/1.1 with TLS", tls: true},
	{name: "HTTP/2", tls: true, h2: true},
	{name: "HTTP/2 without TLS", h2: true},
}

// overEach runs test over each transport.
func overEach(t *testing.T, test func(t *testing.T, over transport)) {
	t.Helper()
	for _, over := range transports {
		t.Run(over.name, func(t *testing.T) { test(t, over) })
	}
}

func (over transport) protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(!over.h2)
	p.SetHTTP2(over.h2 && over.tls)
	p.SetUnencryptedHTTP2(over.h2 && !over.tls)
	return p
}

// A site serves a handler, and has clients of its own.
type site struct {
	over   transport
	server *httptest.Server
	logged *safeBuffer // of the server

	mu    sync.Mutex
	conns []*gatedConn // of the clients
}

// serve serves h until the test ends.
func (over transport) serve(t *testing.T, h http.Handler, set ...func(*http.Server)) *site {
	t.Helper()
	s := &site{over: over, logged: new(safeBuffer)}
	checked := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if want := map[bool]int{false: 1, true: 2}[over.h2]; req.ProtoMajor != want {
			t.Errorf("the request came over %s", req.Proto)
		}
		h.ServeHTTP(w, req)
	})
	s.server = httptest.NewUnstartedServer(checked)
	s.server.Config.ErrorLog = log.New(s.logged, "", 0)
	s.server.Config.Protocols = over.protocols()
	s.server.EnableHTTP2 = over.h2 && over.tls
	for _, f := range set {
		f(s.server.Config)
	}
	if over.tls {
		s.server.StartTLS()
	} else {
		s.server.Start()
	}
	t.Cleanup(func() {
		s.server.CloseClientConnections()
		s.server.Close()
	})
	return s
}

// client returns a browser that shares no connection with others.
func (s *site) client(t *testing.T) *http.Client {
	tr := s.server.Client().Transport.(*http.Transport).Clone()
	tr.Protocols = s.over.protocols()
	tr.DisableKeepAlives = !s.over.h2
	tr.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10, MaxReceiveBufferPerConnection: 64 << 10}
	tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, s.server.Listener.Addr().String())
		if err != nil {
			return nil, err
		}
		gated := &gatedConn{Conn: conn}
		s.mu.Lock()
		s.conns = append(s.conns, gated)
		s.mu.Unlock()
		return gated, nil
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// stall makes all connections so far take nothing more.
func (s *site) stall() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.gate.Lock()
	}
}

// resume undoes stall.
func (s *site) resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.gate.Unlock()
	}
}

// A gatedConn takes nothing from its socket while gate is locked, but for the read
// that is under way.
type gatedConn struct {
	net.Conn
	gate sync.Mutex
}

func (c *gatedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.gate.Lock()
	defer c.gate.Unlock()
	return n, err
}

// request is what a browser asks for that has seen last.
func (s *site) request(t *testing.T, path, last string) *http.Request {
	req := must(http.NewRequestWithContext(t.Context(), http.MethodGet, s.server.URL+path, nil))
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	return req
}

// get asks for the stream as a browser does that has seen last.
func (s *site) get(t *testing.T, path, last string) *http.Response {
	t.Helper()
	res, err := s.client(t).Do(s.request(t, path, last))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

// open is get for a stream.
func (s *site) open(t *testing.T, last string) *viewer {
	t.Helper()
	res := s.get(t, "/", last)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("status %s: %s", res.Status, must(io.ReadAll(res.Body)))
	}
	return newViewer(res)
}

type safeBuffer struct {
	mu  sync.Mutex
	buf []byte
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf = append(b.buf, p...)
	return len(p), nil
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.buf)
}
