// Package natsserver runs a NATS server with JetStream inside a test.
package natsserver

import (
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// A Server is a NATS server on a free loopback port, with a folder of its own.
type Server struct {
	tb     testing.TB
	dir    string
	port   int
	server *server.Server
}

// Start starts a server. It ends with the test.
func Start(tb testing.TB) *Server {
	tb.Helper()
	s := &Server{tb: tb, dir: tb.TempDir(), port: server.RANDOM_PORT}
	s.Start()
	u, err := url.Parse(s.server.ClientURL())
	if err != nil {
		tb.Fatal(err)
	}
	s.port, _ = strconv.Atoi(u.Port())
	tb.Cleanup(s.Stop)
	return s
}

// Start starts the server again after Stop, on the same port and with what it
// has stored.
func (s *Server) Start() {
	s.tb.Helper()
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: s.port,
		JetStream: true, StoreDir: s.dir, SyncAlways: false,
		NoLog: true, NoSigs: true,
	})
	if err != nil {
		s.tb.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(20 * time.Second) {
		s.tb.Fatal("the NATS server does not start")
	}
	s.server = srv
}

// Stop stops the server, if it runs, and keeps what it has stored.
func (s *Server) Stop() {
	s.server.Shutdown()
	s.server.WaitForShutdown()
}

// URL returns where clients connect.
func (s *Server) URL() string { return "nats://" + s.Addr() }

// Addr returns the host and port.
func (s *Server) Addr() string { return "127.0.0.1:" + strconv.Itoa(s.port) }

// Connect returns a connection to url. It ends with the test, before the server
// does. Options may replace the defaults: to reconnect for ever and soon.
func Connect(tb testing.TB, url string, opts ...nats.Option) *nats.Conn {
	tb.Helper()
	opts = append([]nats.Option{
		nats.MaxReconnects(-1), nats.ReconnectWait(20 * time.Millisecond), nats.ReconnectJitter(0, 0),
	}, opts...)
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(nc.Close)
	return nc
}
