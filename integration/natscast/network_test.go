package natscast_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tandemgo/tandem/broadcast/natscast"
	"github.com/tandemgo/tandem/integration/internal/natsserver"
	"github.com/tandemgo/tandem/integration/internal/proxy"
)

// far is two processes with a bad network in front of the receiving one.
type far struct {
	server   *natsserver.Server
	network  *proxy.Proxy
	nc       *nats.Conn // of the receiving process
	from, to *natscast.Broadcast[int]
	follower *follower
}

// apart opens two processes that have heard each other.
func apart(t *testing.T, kind string, opts ...nats.Option) far {
	t.Helper()
	f := far{server: natsserver.Start(t)}
	f.network = proxy.New(t, f.server.Addr())
	f.nc = natsserver.Connect(t, "nats://"+f.network.Addr(), opts...)
	f.to = kinds[kind](t, f.nc, "s", natscast.WithCapacity(1<<16), natscast.WithHeartbeat(100*time.Millisecond))
	f.follower = follow(t, f.to)
	f.from = kinds[kind](t, natsserver.Connect(t, f.server.URL()), "s", natscast.WithHeartbeat(100*time.Millisecond))
	send(t, f.from, 0, 3)
	f.follower.expect(t, "0", "1", "2")
	return f
}

// both runs a test for both kinds concurrently.
func both(t *testing.T, test func(t *testing.T, kind string)) {
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			test(t, kind)
		})
	}
}

// A connection that is cut for five seconds: values sent meanwhile are counted on core
// NATS, before the next ones, and arrive late on JetStream.
func TestCutForFiveSeconds(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes 5 s")
	}
	both(t, func(t *testing.T, kind string) {
		f := apart(t, kind)
		f.network.Cut()
		eventually(t, "it is noticed", func() bool { return !f.nc.IsConnected() })
		if err := f.to.Send(t.Context(), -1); !errors.Is(err, natscast.ErrDisconnected) {
			t.Errorf("Send without a connection: %v", err)
		}
		send(t, f.from, 3, 20)
		time.Sleep(5 * time.Second) // the length of the fault
		f.network.Pass()
		if kind == "stream" {
			send(t, f.from, 20, 22)
			f.follower.expect(t, numbers(0, 22)...)
			return
		}
		// No value is sent: a beat shows that the last ones are lost.
		f.follower.expect(t, append(numbers(0, 3), "gap 17")...)
		send(t, f.from, 20, 22)
		f.follower.expect(t, slices.Concat(numbers(0, 3), []string{"gap 17"}, numbers(20, 22))...)
		if st := f.to.Stats(); st.Missed != 17 || st.UnknownGaps != 0 || st.Resumed == 0 {
			t.Errorf("%+v", st)
		}
	})
}

// A half-open connection: the pings of the connection detect it, and the effect is that
// of a cut.
func TestHalfOpen(t *testing.T) {
	both(t, func(t *testing.T, kind string) {
		f := apart(t, kind, nats.PingInterval(100*time.Millisecond), nats.MaxPingsOutstanding(2), nats.Timeout(time.Second))
		f.network.Stall()
		send(t, f.from, 3, 20)
		eventually(t, "it is noticed", func() bool { return !f.nc.IsConnected() })
		f.network.Drop() // the connections attempted meanwhile
		f.network.Pass()
		if kind == "stream" {
			f.follower.expect(t, numbers(0, 20)...)
			return
		}
		f.follower.expect(t, append(numbers(0, 3), "gap 17")...)
	})
}

// A stall that is not detected: no value is lost, and none arrives twice.
func TestStallThatPasses(t *testing.T) {
	both(t, func(t *testing.T, kind string) {
		f := apart(t, kind)
		f.network.Stall()
		send(t, f.from, 3, 20)
		if kind == "stream" {
			time.Sleep(time.Second) // longer than the silence after which the stream is read anew
		}
		f.network.Pass()
		f.follower.expect(t, numbers(0, 20)...)
		if st := f.to.Stats(); st.Missed != 0 || st.UnknownGaps != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// With a server that answers 200 ms late no value is lost, and a Send that waits for it
// is not repeated.
func TestSlowServer(t *testing.T) {
	both(t, func(t *testing.T, kind string) {
		f := apart(t, kind)
		f.network.Delay(200 * time.Millisecond)
		again := kinds[kind](t, f.nc, "s")
		send(t, again, 3, 8)
		f.follower.expect(t, numbers(0, 8)...)
		if st := again.Stats(); st.Sent != 5 || st.Retried != 0 || st.Missed != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// The broadcast goes on after any number of lost connections.
func TestReconnectWithoutEnd(t *testing.T) {
	both(t, func(t *testing.T, kind string) {
		f := apart(t, kind)
		sent := 3
		for range 10 {
			f.network.Cut()
			eventually(t, "it is noticed", func() bool { return !f.nc.IsConnected() })
			send(t, f.from, sent, sent+2)
			f.network.Pass()
			eventually(t, "it is back", f.nc.IsConnected)
			send(t, f.from, sent+2, sent+4)
			sent += 4
			eventually(t, "all is accounted for", func() bool { return f.follower.sum() == sent })
		}
		missed, unknown := f.follower.missing()
		if unknown != 0 || kind == "stream" && missed != 0 || kind == "core" && missed < 20 {
			t.Errorf("%d are missing and %d gaps have no number", missed, unknown)
		}
		if st := f.to.Stats(); st.Resumed < 10 {
			t.Errorf("%+v", st)
		}
	})
}

// A connection that limits its reconnects, or does not echo, is rejected.
func TestUnsuitableConnections(t *testing.T) {
	srv := natsserver.Start(t)
	for name, opt := range map[string]nats.Option{
		"gives up": nats.MaxReconnects(5), "does not reconnect": nats.NoReconnect(), "no echo": nats.NoEcho(),
	} {
		nc := natsserver.Connect(t, srv.URL(), opt)
		if _, err := natscast.New[int](nc, "s"); !errors.Is(err, natscast.ErrUnsuitable) {
			t.Errorf("%s: New: %v", name, err)
		}
		_, err := natscast.NewStream[int](t.Context(), jetStream(t, nc), "s", "s")
		if want := name != "no echo"; errors.Is(err, natscast.ErrUnsuitable) != want {
			t.Errorf("%s: NewStream: %v", name, err)
		}
	}
	nc := natsserver.Connect(t, srv.URL())
	nc.Close()
	if _, err := natscast.New[int](nc, "s"); !errors.Is(err, natscast.ErrDisconnected) {
		t.Errorf("closed: New: %v", err)
	}
}
