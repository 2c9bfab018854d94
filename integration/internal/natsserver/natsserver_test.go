package natsserver_test

import (
	"context"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/integration/internal/natsserver"
	"github.com/tandemgo/tandem/integration/internal/proxy"
)

func TestItKeepsWhatIsStored(t *testing.T) {
	ctx := context.Background()
	s := natsserver.Start(t)
	through := proxy.New(t, s.Addr())
	nc := natsserver.Connect(t, "nats://"+through.Addr())
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(ctx, "s", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	s.Start()
	js, err = jetstream.New(natsserver.Connect(t, s.URL()))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(ctx, "S")
	if err != nil {
		t.Fatal(err)
	}
	if m, err := stream.GetMsg(ctx, 1); err != nil || string(m.Data) != "kept" {
		t.Fatalf("got %v, %v", m, err)
	}
}
