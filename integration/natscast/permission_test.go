package natscast_test

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/tandemgo/tandem/broadcast/natscast"
	"github.com/tandemgo/tandem/integration/internal/natsserver"
)

// A process without the permission to subscribe gets an error, and does not wait for
// ever.
func TestWhoMayNotListen(t *testing.T) {
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
		Users: []*server.User{{Username: "mute", Password: "x", Permissions: &server.Permissions{
			Subscribe: &server.SubjectPermission{Deny: []string{"secret"}},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	defer srv.WaitForShutdown()
	defer srv.Shutdown()
	if !srv.ReadyForConnections(30 * time.Second) {
		t.Fatal("the server does not start")
	}
	nc := natsserver.Connect(t, srv.ClientURL(), nats.UserInfo("mute", "x"),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if _, err := natscast.New[int](nc, "secret"); !errors.Is(err, natscast.ErrUnsuitable) {
		t.Errorf("got %v", err)
	}
	openCore[int](t, nc, "public").Close()
}
