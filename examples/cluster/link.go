package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A speaker writes the messages of a process, one a line. It is safe for concurrent
// use.
type speaker struct {
	name string
	mu   sync.Mutex
	out  io.Writer
}

func (s *speaker) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, s.name+format+"\n", args...)
}

// try calls f until it succeeds, for at most c.maxWait.
func (c config) try(ctx context.Context, s *speaker, what string, f func(context.Context) error) error {
	const each, pause = 3 * time.Second, 200 * time.Millisecond
	end := time.Now().Add(c.maxWait)
	for said := false; ; said = true {
		one, cancel := context.WithTimeout(ctx, each)
		err := f(one)
		cancel()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case time.Now().After(end):
			return fmt.Errorf("%s: %w", what, err)
		case !said:
			s.say("waiting for %s, for %v at most: %v", what, c.maxWait, err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// connect connects to NATS and waits for the server if it is away. If the server is
// away for longer than c.maxWait, end is called.
func (c config) connect(ctx context.Context, s *speaker, end context.CancelCauseFunc) (*nats.Conn, jetstream.JetStream, error) {
	var mu sync.Mutex
	var tooLong *time.Timer
	away := func(nc *nats.Conn, _ error) {
		if nc.IsClosed() {
			return
		}
		s.say("the NATS server is away: waiting for it, for %v at most", c.maxWait)
		mu.Lock()
		defer mu.Unlock()
		tooLong = time.AfterFunc(c.maxWait, func() {
			end(fmt.Errorf("the NATS server has been away for %v", c.maxWait))
		})
	}
	back := func(*nats.Conn) {
		s.say("the NATS server is back")
		mu.Lock()
		defer mu.Unlock()
		if tooLong != nil {
			tooLong.Stop()
		}
	}
	var nc *nats.Conn
	err := c.try(ctx, s, "the NATS server", func(context.Context) (err error) {
		nc, err = nats.Connect(c.nats, nats.MaxReconnects(-1), nats.ReconnectWait(250*time.Millisecond),
			nats.DisconnectErrHandler(away), nats.ReconnectHandler(back))
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	return nc, js, nil
}
