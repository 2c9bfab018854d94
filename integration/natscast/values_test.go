package natscast_test

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/broadcast/natscast"
	"github.com/tandemgo/tandem/integration/internal/natsserver"
)

// What one process sends, another receives, in order, on core NATS and on JetStream.
func TestValuesArrive(t *testing.T) {
	const n = 5000
	srv := natsserver.Start(t)
	core := func(nc *nats.Conn) (*natscast.Broadcast[int], error) { return natscast.New[int](nc, "s") }
	stream := func(nc *nats.Conn) (*natscast.Broadcast[int], error) {
		js, err := jetstream.New(nc)
		if err != nil {
			return nil, err
		}
		_, err = js.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"q"}})
		if err != nil {
			return nil, err
		}
		return natscast.NewStream[int](t.Context(), js, "S", "q")
	}
	for name, open := range map[string]func(*nats.Conn) (*natscast.Broadcast[int], error){"core": core, "stream": stream} {
		t.Run(name, func(t *testing.T) {
			var sides [2]*natscast.Broadcast[int]
			for i := range sides {
				b, err := open(natsserver.Connect(t, srv.URL()))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { b.Close() })
				sides[i] = b
			}
			sub, err := sides[1].Subscribe(broadcast.OnOverflow(broadcast.Block))
			if err != nil {
				t.Fatal(err)
			}
			for i := range n {
				if err := sides[0].Send(t.Context(), i); err != nil {
					t.Fatal(err)
				}
			}
			for i := range n {
				if v, err := sub.Next(t.Context()); v != i || err != nil {
					t.Fatalf("%d: %d, %v; %+v", i, v, err, sides[1].Stats())
				}
			}
		})
	}
}
