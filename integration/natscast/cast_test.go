package natscast_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/broadcast/natscast"
	"github.com/tandemgo/tandem/integration/internal/natsserver"
	"github.com/tandemgo/tandem/internal/casttest"
)

// kinds are the two kinds of broadcast: each opens one on a connection. Those with the
// same subject are one broadcast.
var kinds = map[string]func(tb testing.TB, nc *nats.Conn, subject string, opts ...natscast.Option) *natscast.Broadcast[int]{
	"core":   openCore[int],
	"stream": openStream[int],
}

func openCore[T any](tb testing.TB, nc *nats.Conn, subject string, opts ...natscast.Option) *natscast.Broadcast[T] {
	tb.Helper()
	b, err := natscast.New[T](nc, subject, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { b.Close() })
	return b
}

func openStream[T any](tb testing.TB, nc *nats.Conn, subject string, opts ...natscast.Option) *natscast.Broadcast[T] {
	tb.Helper()
	js := jetStream(tb, nc)
	makeStream(tb, js, subject)
	b, err := natscast.NewStream[T](context.Background(), js, subject, subject, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { b.Close() })
	return b
}

func jetStream(tb testing.TB, nc *nats.Conn) jetstream.JetStream {
	tb.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		tb.Fatal(err)
	}
	return js
}

// makeStream makes a stream named after its subject, if it does not exist.
func makeStream(tb testing.TB, js jetstream.JetStream, subject string) {
	tb.Helper()
	_, err := js.CreateOrUpdateStream(context.Background(), jetstream.StreamConfig{Name: subject, Subjects: []string{subject}})
	if err != nil {
		tb.Fatal(err)
	}
}

// The laws of a local broadcast hold for values that come back through the server.
func TestCast(t *testing.T) {
	srv := natsserver.Start(t)
	for name, open := range kinds {
		t.Run(name, func(t *testing.T) {
			nc := natsserver.Connect(t, srv.URL())
			var subjects atomic.Int64
			casttest.Run(t, func(t *testing.T, capacity int) casttest.Cast {
				subject := name + strconv.FormatInt(subjects.Add(1), 10)
				return open(t, nc, subject, natscast.WithCapacity(capacity))
			})
		})
	}
}
