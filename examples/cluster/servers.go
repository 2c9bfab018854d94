package main

import (
	"errors"
	"os"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/nats-io/nats-server/v2/server"
)

// serve starts the servers that the command line does not name, inside this
// process, and enters where they are.
func (c *config) serve() (stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, f := range stops {
			f()
		}
	}
	if c.redis == "" {
		r := miniredis.NewMiniRedis()
		if err := r.Start(); err != nil {
			return nil, err
		}
		stops = append(stops, r.Close)
		c.redis = r.Addr()
	}
	if c.nats == "" {
		url, end, err := startNATS()
		if err != nil {
			stop()
			return nil, err
		}
		stops = append(stops, end)
		c.nats = url
	}
	return stop, nil
}

// startNATS starts a NATS server with JetStream on a free port. What it stores is
// gone when it ends.
func startNATS() (url string, stop func(), err error) {
	dir, err := os.MkdirTemp("", "cluster")
	if err != nil {
		return "", nil, err
	}
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT,
		JetStream: true, StoreDir: dir, NoLog: true, NoSigs: true,
	})
	if err != nil {
		os.RemoveAll(dir)
		return "", nil, err
	}
	stop = func() {
		s.Shutdown()
		s.WaitForShutdown()
		os.RemoveAll(dir)
	}
	s.Start()
	if !s.ReadyForConnections(20 * time.Second) {
		stop()
		return "", nil, errors.New("the NATS server does not start")
	}
	return s.ClientURL(), stop, nil
}
