package natscast_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/broadcast/natscast"
	"github.com/tandemgo/tandem/integration/internal/natsserver"
	"github.com/tandemgo/tandem/integration/internal/proxy"
)

// A stream is deleted and created again: the number of lost values is unknown, and all
// values of the new stream arrive.
func TestStreamIsMadeAnew(t *testing.T) {
	srv := natsserver.Start(t)
	nc := natsserver.Connect(t, srv.URL())
	js := jetStream(t, nc)
	var errs errorList
	b := openStream[int](t, nc, "s", natscast.WithHeartbeat(100*time.Millisecond), natscast.WithErrorHandler(errs.add))
	f := follow(t, b)
	send(t, b, 0, 3)
	f.expect(t, "0", "1", "2")
	if err := js.DeleteStream(t.Context(), "s"); err != nil {
		t.Fatal(err)
	}
	if err := b.Send(t.Context(), 3); err == nil || errors.Is(err, natscast.ErrUncertain) {
		t.Errorf("Send to a stream that is gone: %v", err)
	}
	eventually(t, "the handler was told", func() bool {
		return slices.ContainsFunc(errs.all(), func(err error) bool { return errors.Is(err, jetstream.ErrStreamNotFound) })
	})
	makeStream(t, js, "s")
	send(t, b, 4, 6)
	f.expect(t, "0", "1", "2", "gap ?", "4", "5")
}

// Values that the limits of the stream have discarded while a process was away are a
// gap of that size, and so are deleted values.
func TestDiscarded(t *testing.T) {
	srv := natsserver.Start(t)
	network := proxy.New(t, srv.Addr())
	direct, away := natsserver.Connect(t, srv.URL()), natsserver.Connect(t, "nats://"+network.Addr())
	js := jetStream(t, direct)
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "s", Subjects: []string{"s"}, MaxMsgs: 10})
	if err != nil {
		t.Fatal(err)
	}
	open := func(js jetstream.JetStream) *natscast.Broadcast[int] {
		b, err := natscast.NewStream[int](t.Context(), js, "s", "s")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		return b
	}
	from, to := open(js), open(jetStream(t, away))
	f := follow(t, to)
	send(t, from, 0, 3)
	f.expect(t, "0", "1", "2")
	network.Cut()
	send(t, from, 3, 100)
	if err := stream.DeleteMsg(t.Context(), 96); err != nil { // value 95
		t.Fatal(err)
	}
	network.Pass()
	f.expect(t, slices.Concat(numbers(0, 3), []string{"gap 87"}, numbers(90, 95), []string{"gap 1"}, numbers(96, 100))...)
	if st := to.Stats(); st.Missed != 88 || st.UnknownGaps != 0 {
		t.Errorf("%+v", st)
	}
	// A purge while no value comes is noticed with the next value.
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	send(t, from, 100, 101)
	eventually(t, "the next value comes", func() bool { return f.has("100") })
	if missed, _ := f.missing(); missed != 88 {
		t.Errorf("%d are missing: what was read before the purge is not", missed)
	}
}

// The consumer is deleted, and another one continues.
func TestConsumerIsDeleted(t *testing.T) {
	srv := natsserver.Start(t)
	nc := natsserver.Connect(t, srv.URL())
	js := jetStream(t, nc)
	b := openStream[int](t, nc, "s", natscast.WithHeartbeat(100*time.Millisecond))
	f := follow(t, b)
	send(t, b, 0, 3)
	stream, err := js.Stream(t.Context(), "s")
	if err != nil {
		t.Fatal(err)
	}
	for name := range stream.ConsumerNames(t.Context()).Name() {
		if err := stream.DeleteConsumer(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	send(t, b, 3, 6)
	f.expect(t, numbers(0, 6)...)
	if st := b.Stats(); st.Resumed == 0 || st.Missed != 0 {
		t.Errorf("%+v", st)
	}
}

// WithReplay: the last values are available when NewStream returns, and later values
// follow without a gap.
func TestReplay(t *testing.T) {
	srv := natsserver.Start(t)
	nc := natsserver.Connect(t, srv.URL())
	first := openStream[int](t, nc, "s")
	send(t, first, 0, 50)
	for name, test := range map[string]struct{ ask, from int }{
		"none": {0, 50}, "some": {7, 43}, "all": {50, 0}, "more than there are": {3000, 0},
	} {
		b := openStream[int](t, nc, "s", natscast.WithReplay(test.ask))
		s := subscribe(t, b, broadcast.WithReplay(test.ask))
		if n := s.Backlog(); n != uint64(50-test.from) {
			t.Errorf("%s: %d are there, want %d", name, n, 50-test.from)
		}
	}
	late := openStream[int](t, nc, "s", natscast.WithReplay(20))
	f := follow(t, late, broadcast.WithReplay(20))
	send(t, first, 50, 55)
	f.expect(t, numbers(30, 55)...)
}

// With a small queue on JetStream no value is lost, however slow a Block subscription
// is.
func TestSmallQueueOnAStream(t *testing.T) {
	srv := natsserver.Start(t)
	nc := natsserver.Connect(t, srv.URL())
	b := openStream[int](t, nc, "s", natscast.WithQueue(8), natscast.WithCapacity(4))
	block := subscribe(t, b, broadcast.WithOverflow(broadcast.Block))
	var sending sync.WaitGroup
	for k := range 4 {
		sending.Go(func() { send(t, b, k*100, (k+1)*100) })
	}
	sending.Wait()
	f := followOn(t, b, block)
	eventually(t, "all have come", func() bool { return f.sum() == 400 })
	if missed, unknown := f.missing(); missed != 0 || unknown != 0 {
		t.Errorf("%d are missing, %d gaps have no number", missed, unknown)
	}
}

// A Send whose answer is lost is repeated, and the value is stored once.
func TestSendIsRepeated(t *testing.T) {
	srv := natsserver.Start(t)
	network := proxy.New(t, srv.Addr())
	away := natsserver.Connect(t, "nats://"+network.Addr())
	b := openStream[int](t, away, "s")
	f := follow(t, openStream[int](t, natsserver.Connect(t, srv.URL()), "s"))
	network.Delay(3 * time.Second) // delays only the server's answers: it has stored the value
	send(t, b, 0, 1)
	network.Pass()
	send(t, b, 1, 3)
	f.expect(t, "0", "1", "2")
	if st := b.Stats(); st.Retried == 0 || st.Sent != 3 {
		t.Errorf("%+v", st)
	}
}

// A Send without an answer before the end of its context returns ErrUncertain.
func TestSendIsUncertain(t *testing.T) {
	srv := natsserver.Start(t)
	network := proxy.New(t, srv.Addr())
	b := openStream[int](t, natsserver.Connect(t, "nats://"+network.Addr()), "s")
	network.Stall()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := b.Send(ctx, 1); !errors.Is(err, natscast.ErrUncertain) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	sent := make(chan error)
	go func() { sent <- b.Send(t.Context(), 2) }()
	eventually(t, "it waits", func() bool { return b.Stats().Retried > 1 })
	b.Close()
	if err := <-sent; !errors.Is(err, natscast.ErrUncertain) || !errors.Is(err, natscast.ErrClosed) {
		t.Errorf("got %v", err)
	}
	network.Pass()
}

// A stream must exist and hold exactly the one subject.
func TestUnsuitableStreams(t *testing.T) {
	srv := natsserver.Start(t)
	js := jetStream(t, natsserver.Connect(t, srv.URL()))
	if _, err := natscast.NewStream[int](t.Context(), js, "none", "s"); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("no stream: %v", err)
	}
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "many", Subjects: []string{"many.>"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := natscast.NewStream[int](t.Context(), js, "many", "many.one"); !errors.Is(err, natscast.ErrUnsuitable) {
		t.Errorf("other subjects: %v", err)
	}
}
