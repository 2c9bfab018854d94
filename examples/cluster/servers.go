package main

import (
	"errors"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/nats-io/nats-server/v2/server"
)

// serve starts the servers that the command line does not name inside this process, and
// stores their addresses in c. To count words it needs no Redis, and without workers nothing.
func (c *config) serve() (stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, f := range stops {
			f()
		}
	}
	if c.redis == "" && !c.words {
		r := miniredis.NewMiniRedis()
		if err := r.Start(); err != nil {
			return nil, err
		}
		stops = append(stops, r.Close)
		c.redis = r.Addr()
	}
	if c.nats == "" && (c.start > 0 || !c.words) {
		s, err := newNATS()
		if err != nil {
			stop()
			return nil, err
		}
		stops = append(stops, s.remove)
		c.nats, c.own = s.server.ClientURL(), s
	}
	return stop, nil
}

// A natsServer is a NATS server with JetStream inside this process.
type natsServer struct {
	dir    string
	port   int
	server *server.Server
}

// newNATS starts a server on a free port.
func newNATS() (*natsServer, error) {
	dir, err := os.MkdirTemp("", "cluster")
	if err != nil {
		return nil, err
	}
	s := &natsServer{dir: dir, port: server.RANDOM_PORT}
	if err := s.start(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	if u, err := url.Parse(s.server.ClientURL()); err == nil {
		s.port, _ = strconv.Atoi(u.Port())
	}
	return s, nil
}

// start starts the server, on the same port as before and with its stored data.
func (s *natsServer) start() (err error) {
	s.server, err = server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: s.port,
		JetStream: true, StoreDir: s.dir, NoLog: true, NoSigs: true,
	})
	if err != nil {
		return err
	}
	s.server.Start()
	if !s.server.ReadyForConnections(20 * time.Second) {
		s.stop()
		return errors.New("the NATS server does not start")
	}
	return nil
}

func (s *natsServer) stop() {
	s.server.Shutdown()
	s.server.WaitForShutdown()
}

// remove stops the server and deletes its stored data.
func (s *natsServer) remove() {
	s.stop()
	os.RemoveAll(s.dir)
}

// outage stops the server and starts it again.
func (s *natsServer) outage(d time.Duration) error {
	s.stop()
	time.Sleep(d)
	return s.start()
}
