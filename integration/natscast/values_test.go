package natscast_test

import (
	"math"
	"testing"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/broadcast/natscast"
	"github.com/tandemgo/tandem/integration/internal/natsserver"
)

// Heartbeats may be as rare as a duration can say.
func TestRareHeartbeats(t *testing.T) {
	srv := natsserver.Start(t)
	for kind, open := range kinds {
		t.Run(kind, func(t *testing.T) {
			b := open(t, natsserver.Connect(t, srv.URL()), kind, natscast.WithHeartbeat(math.MaxInt64))
			s := subscribe(t, b)
			send(t, b, 0, 3)
			for i := range 3 {
				if v, err := s.Next(t.Context()); v != i || err != nil {
					t.Errorf("%d, %v", v, err)
				}
			}
		})
	}
}

// The values of one process arrive at another in order.
func TestValuesArrive(t *testing.T) {
	const n = 5000
	srv := natsserver.Start(t)
	for name, open := range kinds {
		t.Run(name, func(t *testing.T) {
			from := open(t, natsserver.Connect(t, srv.URL()), name)
			to := open(t, natsserver.Connect(t, srv.URL()), name)
			sub, err := to.Subscribe(broadcast.WithOverflow(broadcast.Block))
			if err != nil {
				t.Fatal(err)
			}
			for i := range n {
				if err := from.Send(t.Context(), i); err != nil {
					t.Fatal(err)
				}
			}
			for i := range n {
				if v, err := sub.Next(t.Context()); v != i || err != nil {
					t.Fatalf("%d: %d, %v; %+v", i, v, err, to.Stats())
				}
			}
		})
	}
}
