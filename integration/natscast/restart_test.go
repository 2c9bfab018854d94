package natscast_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/broadcast/natscast"
	"github.com/tandemgo/tandem/integration/internal/natsserver"
)

// A server ends and starts again: accepted values arrive or are counted, and on
// JetStream they arrive.
func TestServerIsRestarted(t *testing.T) {
	both(t, func(t *testing.T, kind string) {
		f := apart(t, kind)
		f.server.Stop()
		uncertain := 0 // values that may have been stored all the same
		send := func(v int) error {
			err := f.from.Send(t.Context(), v)
			if errors.Is(err, natscast.ErrUncertain) {
				uncertain++
			}
			return err
		}
		eventually(t, "it is noticed", func() bool { return errors.Is(send(-1), natscast.ErrDisconnected) })
		accepted := int(f.from.Stats().Sent) // some may have been accepted and lost
		f.server.Start()
		for i := 3; i < 20; {
			if err := send(i); err == nil {
				accepted++
				i++
			} else if !errors.Is(err, natscast.ErrDisconnected) {
				t.Fatal(err)
			}
		}
		eventually(t, "all is accounted for", func() bool {
			n := f.follower.sum()
			return accepted <= n && n <= accepted+uncertain
		})
		if kind == "stream" {
			eventually(t, "the last value has come", func() bool {
				all := f.follower.all()
				return all[len(all)-1] == "19"
			})
		}
		missed, unknown := f.follower.missing()
		if unknown != 0 || kind == "stream" && missed != 0 {
			t.Errorf("%d are missing, %d gaps have no number", missed, unknown)
		}
	})
}

// WithBuffering: values sent while there is no server arrive after it is back.
func TestBuffering(t *testing.T) {
	both(t, func(t *testing.T, kind string) {
		srv := natsserver.Start(t)
		nc := natsserver.Connect(t, srv.URL())
		b := kinds[kind](t, nc, "s", natscast.WithBuffering())
		f := follow(t, b)
		srv.Stop()
		eventually(t, "it is noticed", func() bool { return !nc.IsConnected() })
		sent := make(chan error, 1)
		go func() {
			for i := range 3 {
				if err := b.Send(t.Context(), i); err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
		if kind == "core" { // the connection has taken them at once
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
			sent <- nil
		}
		srv.Start()
		f.expect(t, numbers(0, 3)...)
		if err := <-sent; err != nil {
			t.Error(err)
		}
	})
}

// A process is restarted with the same name: others cannot know its losses, unless it
// was closed before.
func TestOriginIsStartedAgain(t *testing.T) {
	srv := natsserver.Start(t)
	to := openCore[int](t, natsserver.Connect(t, srv.URL()), "s")
	f := follow(t, to)
	begin := func(from int) (*natscast.Broadcast[int], *nats.Conn) {
		nc := natsserver.Connect(t, srv.URL())
		b := openCore[int](t, nc, "s", natscast.WithOrigin("worker-7"))
		send(t, b, from, from+2)
		return b, nc
	}
	_, nc := begin(0)
	f.expect(t, "0", "1")
	nc.Close() // as in a crash, the connection ends without a goodbye
	second, nc := begin(2)
	f.expect(t, "0", "1", "gap ?", "2", "3")
	second.Close()
	if err := nc.Flush(); err != nil { // the server has its goodbye before the values of another connection
		t.Fatal(err)
	}
	begin(4)
	f.expect(t, "0", "1", "gap ?", "2", "3", "4", "5")
}

// An origin that is gone without a goodbye may have sent values that were not received:
// that is one gap of unknown size.
func TestOriginFallsSilent(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes 10 s of silence")
	}
	t.Parallel()
	srv := natsserver.Start(t)
	beat := natscast.WithHeartbeat(100 * time.Millisecond)
	to := openCore[int](t, natsserver.Connect(t, srv.URL()), "s", beat)
	f := follow(t, to)
	says := openCore[int](t, natsserver.Connect(t, srv.URL()), "s", beat)
	send(t, says, 0, 1)
	nc := natsserver.Connect(t, srv.URL())
	send(t, openCore[int](t, nc, "s", beat), 1, 3)
	eventually(t, "three are known", func() bool { return to.Stats().Origins == 3 })
	nc.Close()
	says.Close() // this one has sent a goodbye
	f.expect(t, "0", "1", "2", "gap ?")
	if st := to.Stats(); st.UnknownGaps != 1 || st.Missed != 0 {
		t.Errorf("%+v", st)
	}
}

// The last values are lost, and no value follows them: a beat shows that, and the gap
// is at its place. They are lost here since a subscriber with the policy Block leaves
// no room.
func TestLostTail(t *testing.T) {
	srv := natsserver.Start(t)
	nc := natsserver.Connect(t, srv.URL())
	to := openCore[int](t, nc, "s", natscast.WithCapacity(4), natscast.WithQueue(8))
	from := openCore[int](t, natsserver.Connect(t, srv.URL()), "s", natscast.WithHeartbeat(100*time.Millisecond))
	block := subscribe(t, to, broadcast.WithOverflow(broadcast.Block))
	const n = 1000
	send(t, from, 0, n)
	eventually(t, "the server has passed them on", func() bool { return from.Stats().Received == n })
	if err := nc.Flush(); err != nil { // the messages have arrived
		t.Fatal(err)
	}
	f := followOn(t, to, block)
	eventually(t, "all is accounted for", func() bool { return f.sum() == n })
	got := f.all()
	if last := got[len(got)-1]; !strings.HasPrefix(last, "gap ") {
		t.Errorf("the last event is %s", last)
	}
	if diff := cmp.Diff(numbers(0, 4), got[:4]); diff != "" {
		t.Errorf("what there was room for (-want +got):\n%s", diff)
	}
	if st := to.Stats(); st.Missed == 0 || st.UnknownGaps != 0 || st.Missed+st.Received != n {
		t.Errorf("%+v", st)
	}
}
