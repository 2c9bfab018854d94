package natscast_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/broadcast/natscast"
	"github.com/tandemgo/tandem/integration/internal/natsserver"
	"github.com/tandemgo/tandem/integration/internal/proxy"
)

// A price remembers the subject on which it came.
type price struct {
	Value   int
	Subject string `json:"-"`
}

// One subscription has the values of several subjects, each with its subject, in the
// order of each sender; values that are lost are counted as with one subject.
func TestSeveralSubjects(t *testing.T) {
	subjects := []string{"news", "price.*", "trade.>"}
	for kind, open := range map[string]func(nc *nats.Conn, subject string, opts ...natscast.Option) (*natscast.Broadcast[price], error){
		"core": natscast.New[price],
		"stream": func(nc *nats.Conn, subject string, opts ...natscast.Option) (*natscast.Broadcast[price], error) {
			return natscast.NewStream[price](t.Context(), jetStream(t, nc), "all", subject, opts...)
		},
	} {
		t.Run(kind, func(t *testing.T) {
			srv := natsserver.Start(t)
			network := proxy.New(t, srv.Addr())
			makeHolding(t, jetStream(t, natsserver.Connect(t, srv.URL())), subjects)
			opened := func(nc *nats.Conn, subject string) *natscast.Broadcast[price] {
				b, err := open(nc, subject, natscast.WithHeartbeat(100*time.Millisecond),
					natscast.WithSubjects(func(p *price, subject string) { p.Subject = subject }, subjects...))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { b.Close() })
				return b
			}
			nc := natsserver.Connect(t, "nats://"+network.Addr())
			to := opened(nc, "news")
			f := follow(t, to)
			senders := map[string]*natscast.Broadcast[price]{}
			for _, subject := range []string{"news", "price.oil", "price.gas", "trade.oil.spot"} {
				senders[subject] = opened(natsserver.Connect(t, srv.URL()), subject)
			}
			sendAll := func(from, to int) {
				for i := from; i < to; i++ {
					for _, b := range senders {
						if err := b.Send(t.Context(), price{Value: i}); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			sendAll(0, 50)
			eventually(t, "all have come", func() bool { return f.sum() == 200 })
			for subject := range senders {
				var want []string
				for i := range 50 {
					want = append(want, fmt.Sprint(price{i, subject}))
				}
				got := slices.DeleteFunc(f.all(), func(e string) bool { return !slices.Contains(want, e) })
				if !slices.Equal(got, want) {
					t.Errorf("%s: got %v", subject, got)
				}
			}
			network.Cut()
			eventually(t, "it is noticed", func() bool { return !nc.IsConnected() })
			sendAll(50, 60)
			network.Pass()
			eventually(t, "all are accounted for", func() bool { return f.sum() == 240 })
			if missed, unknown := f.missing(); unknown != 0 || kind == "core" && missed != 40 || kind == "stream" && missed != 0 {
				t.Errorf("%d are missing and %d gaps have no number", missed, unknown)
			}
		})
	}
}

func makeHolding(t *testing.T, js jetstream.JetStream, subjects []string) {
	t.Helper()
	if _, err := js.CreateStream(context.Background(), jetstream.StreamConfig{Name: "all", Subjects: subjects}); err != nil {
		t.Fatal(err)
	}
}

// A stream that holds other subjects than those to receive is rejected: their numbers
// would show gaps that are none.
func TestStreamWithOtherSubjects(t *testing.T) {
	js := jetStream(t, natsserver.Connect(t, natsserver.Start(t).URL()))
	makeHolding(t, js, []string{"a", "b.*"})
	for _, subjects := range [][]string{{"a"}, {"a", "b.c"}, {"a", "b.*", "c"}} {
		_, err := natscast.NewStream[int](t.Context(), js, "all", "a", natscast.WithSubjects[int](nil, subjects...))
		if !errors.Is(err, natscast.ErrUnsuitable) {
			t.Errorf("%q: %v, want ErrUnsuitable", subjects, err)
		}
	}
	b, err := natscast.NewStream[int](t.Context(), js, "all", "a", natscast.WithSubjects[int](nil, "b.*", "a"))
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
}
