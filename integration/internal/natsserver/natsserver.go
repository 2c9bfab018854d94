// Package natsserver runs a NATS server with JetStream inside a test.
package natsserver

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// A Server is a NATS server on a free loopback port, with its own folder.
type Server struct {
	tb     testing.TB
	dir    string
	port   int
	server *server.Server

	name    string // in a cluster
	cluster server.ClusterOpts
	routes  []*url.URL
}

// Start starts a server. The server ends with the test.
func Start(tb testing.TB) *Server {
	tb.Helper()
	s := &Server{tb: tb, dir: tb.TempDir(), port: server.RANDOM_PORT}
	s.start()
	return s
}

// StartCluster starts a cluster of n servers, and waits until they have chosen a leader.
func StartCluster(tb testing.TB, n int) []*Server {
	tb.Helper()
	var all []*Server
	var routes []*url.URL
	for i := range n {
		l, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free
		if err != nil {
			tb.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		routes = append(routes, &url.URL{Scheme: "nats", Host: fmt.Sprint("127.0.0.1:", port)})
		all = append(all, &Server{
			tb: tb, dir: tb.TempDir(), port: server.RANDOM_PORT, name: fmt.Sprint("server-", i),
			cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: port},
		})
	}
	for _, s := range all {
		s.routes = routes
		s.start()
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		for _, s := range all {
			if s.server.JetStreamIsLeader() && len(s.server.JetStreamClusterPeers()) == n {
				return all
			}
		}
		if time.Now().After(end) {
			tb.Fatal("the cluster has no leader")
		}
	}
}

// start starts a server for the first time, and ends it with the test.
func (s *Server) start() {
	s.tb.Helper()
	s.Start()
	u, err := url.Parse(s.server.ClientURL())
	if err != nil {
		s.tb.Fatal(err)
	}
	s.port, _ = strconv.Atoi(u.Port())
	s.tb.Cleanup(s.Stop)
}

// Name returns the name of a server of a cluster.
func (s *Server) Name() string { return s.name }

// Start starts the server again after Stop, on the same port and with its stored data.
func (s *Server) Start() {
	s.tb.Helper()
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: s.port,
		JetStream: true, StoreDir: s.dir, SyncAlways: false,
		NoLog: true, NoSigs: true,
		ServerName: s.name, Cluster: s.cluster, Routes: s.routes,
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

// Stop stops the server, if it runs, and keeps its stored data.
func (s *Server) Stop() {
	s.server.Shutdown()
	s.server.WaitForShutdown()
}

// URL returns the URL for clients.
func (s *Server) URL() string { return "nats://" + s.Addr() }

// Addr returns the host and port.
func (s *Server) Addr() string { return "127.0.0.1:" + strconv.Itoa(s.port) }

// Connect returns a connection to url, which is closed at the end of the test, before
// the server stops. By default it reconnects without limit and soon; options may change
// that.
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
