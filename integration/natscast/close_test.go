package natscast_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/broadcast/natscast"
	"github.com/tandemgo/tandem/integration/internal/natsserver"
	"github.com/tandemgo/tandem/integration/internal/proxy"
	"github.com/tandemgo/tandem/internal/testkit"
)

// stacks returns the stacks of all goroutines.
func stacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

// C1: once Close has returned, its goroutines have ended, and the connection is
// unchanged.
func TestCloseJoins(t *testing.T) {
	srv := natsserver.Start(t)
	for kind, open := range kinds {
		t.Run(kind, func(t *testing.T) {
			nc := natsserver.Connect(t, srv.URL())
			for range 20 {
				b := open(t, nc, kind)
				send(t, b, 0, 3)
				s := subscribe(t, b, broadcast.WithOverflow(broadcast.Block))
				b.Close()
				if left := stacks(); strings.Contains(left, "natscast.(*") {
					t.Fatalf("a goroutine is left:\n%s", left)
				}
				if _, err := s.Next(context.Background()); err == nil {
					continue
				} else if err != broadcast.ErrClosed {
					t.Errorf("a subscription ends with %v", err)
				}
			}
			if !nc.IsConnected() {
				t.Error("the connection was closed")
			}
			if n := nc.NumSubscriptions(); n > 1 { // the connection has its own one for requests
				t.Errorf("%d subscriptions are left", n)
			}
		})
	}
}

// Close does not wait for a Block subscription without a reader.
func TestCloseWhileASubscriptionBlocks(t *testing.T) {
	srv := natsserver.Start(t)
	for kind, open := range kinds {
		t.Run(kind, func(t *testing.T) {
			b := open(t, natsserver.Connect(t, srv.URL()), kind, natscast.WithCapacity(2))
			s := subscribe(t, b, broadcast.WithOverflow(broadcast.Block))
			send(t, b, 0, 10)
			eventually(t, "it is full", func() bool { return s.Backlog() == 2 })
			testkit.Watchdog(t, func() { b.Close() })
			for want := range 2 {
				if v, err := s.Next(t.Context()); v != want || err != nil {
					t.Errorf("what was left: %d, %v", v, err)
				}
			}
			if _, err := s.Next(t.Context()); err != broadcast.ErrClosed {
				t.Errorf("got %v", err)
			}
		})
	}
}

// C6: the codec and the error handler may begin Close, on another goroutine, and Close
// may be called concurrently.
func TestCloseFromWithin(t *testing.T) {
	srv := natsserver.Start(t)
	for _, how := range []string{"codec", "handler"} {
		nc := natsserver.Connect(t, srv.URL())
		var b *natscast.Broadcast[string]
		called := make(chan struct{})
		closeIt := sync.OnceFunc(func() {
			go func() { b.Close(); close(called) }()
		})
		codec := closing{decode: func() {}}
		if how == "codec" {
			codec.decode = closeIt
		}
		b = openCore[string](t, nc, how, natscast.WithCodec(codec), natscast.WithErrorHandler(func(error) { closeIt() }))
		testkit.Watchdog(t, func() {
			if err := b.Send(t.Context(), "error"); err != nil {
				t.Error(err)
			}
			<-called
			var wg sync.WaitGroup
			for range 64 {
				wg.Go(func() { b.Close() })
			}
			wg.Wait()
		})
		if left := stacks(); strings.Contains(left, "natscast.(*") {
			t.Errorf("%s: a goroutine is left:\n%s", how, left)
		}
	}
}

// A closing codec calls a function for each value that it decodes.
type closing struct {
	fussy
	decode func()
}

func (c closing) Decode(data []byte) (string, error) {
	c.decode()
	return c.fussy.Decode(data)
}

// When the connection is closed, the broadcast ends, and all waits end.
func TestConnectionIsClosed(t *testing.T) {
	srv := natsserver.Start(t)
	for kind, open := range kinds {
		t.Run(kind, func(t *testing.T) {
			nc := natsserver.Connect(t, srv.URL())
			b := open(t, nc, kind)
			s := subscribe(t, b)
			nc.Close()
			testkit.Watchdog(t, func() {
				if _, err := s.Next(t.Context()); err != broadcast.ErrClosed {
					t.Errorf("a subscription ends with %v", err)
				}
				if err := b.Send(t.Context(), 1); !errors.Is(err, natscast.ErrClosed) && !errors.Is(err, natscast.ErrDisconnected) {
					t.Errorf("Send: %v", err)
				}
				b.Close()
			})
		})
	}
}

// C2: a constructor returns when its context ends, and leaks nothing.
func TestNewStreamIsCancelled(t *testing.T) {
	srv := natsserver.Start(t)
	network := proxy.New(t, srv.Addr())
	nc := natsserver.Connect(t, "nats://"+network.Addr())
	js := jetStream(t, nc)
	makeStream(t, js, "s")
	network.Stall()
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	made := make(chan error)
	go func() {
		_, err := natscast.NewStream[int](ctx, js, "s", "s")
		made <- err
	}()
	cancel(enough)
	testkit.Watchdog(t, func() {
		if err := <-made; !errors.Is(err, enough) {
			t.Errorf("got %v", err)
		}
	})
	network.Pass()
}
