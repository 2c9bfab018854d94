package natspool_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tandemgo/tandem/integration/internal/natsserver"
	"github.com/tandemgo/tandem/integration/internal/proxy"
	"github.com/tandemgo/tandem/pool/natspool"
)

// A lost acknowledgement is repeated, and the task does not run again.
func TestAcknowledgementOfARunIsRepeated(t *testing.T) {
	t.Parallel()
	s, name := natsserver.Start(t), newName(t)
	network := proxy.New(t, s.Addr())
	begun, gate := make(chan struct{}, 2), make(chan struct{})
	w := newPool(t, connect(t, "nats://"+network.Addr()), name, 1, func(_ context.Context, n int) (int, error) {
		begun <- struct{}{}
		<-gate
		return n, nil
	}, natspool.WithAckWait(never))
	js := connect(t, s.URL())
	must0(newPool[int, int](t, js, name, 0, nil).Go(soon(t), 1))
	receive(t, begun, "the task begins")
	network.Stall()
	close(gate)
	until(t, "it ends", func() bool { return w.Stats().Completed == 1 })
	network.Cut() // the stalled data is lost
	if n := must(js.Stream(soon(t), "natspool-tasks-"+name)).CachedInfo().State.Msgs; n != 1 {
		t.Errorf("%d tasks in the stream, want 1: the acknowledgement was not lost", n)
	}
	network.Pass()
	until(t, "the stream lets go of it", func() bool {
		return must(js.Stream(soon(t), "natspool-tasks-"+name)).CachedInfo().State.Msgs == 0
	})
	if s := w.Stats(); s.Completed != 1 || s.Unconfirmed != 0 {
		t.Errorf("%+v, want one run, confirmed", s)
	}
}

// A task that is delivered again to the process that runs it does not run twice there.
func TestTaskComesBackToItsWorker(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	t.Parallel()
	s, name := natsserver.Start(t), newName(t)
	network := proxy.New(t, s.Addr())
	begun, gate := make(chan struct{}, 2), make(chan struct{})
	var ran atomic.Int32
	w := newPool(t, connect(t, "nats://"+network.Addr()), name, 2, func(_ context.Context, n int) (int, error) {
		ran.Add(1)
		begun <- struct{}{}
		<-gate
		return n, nil
	}, natspool.WithAckWait(time.Second))
	js := connect(t, s.URL())
	must0(newPool[int, int](t, js, name, 0, nil).Go(soon(t), 1))
	receive(t, begun, "the task begins")
	network.Cut()
	time.Sleep(3 * time.Second) // the worker is cut off for longer than it may be silent
	network.Pass()
	until(t, "it comes back", func() bool { return w.Stats().Spared > 0 })
	close(gate)
	until(t, "the stream lets go of it", func() bool {
		return must(js.Stream(soon(t), "natspool-tasks-"+name)).CachedInfo().State.Msgs == 0
	})
	if s := w.Stats(); ran.Load() != 1 || s.Completed != 1 || s.Redelivered != s.Spared {
		t.Errorf("%d runs, %+v, want 1", ran.Load(), s)
	}
	checkSum(t, w.Stats())
}

// Deliveries beyond the requested number, for example after one side has forgotten a
// request, do not wait for a worker.
func TestMoreThanAskedFor(t *testing.T) {
	t.Parallel()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	requests := make(chan *nats.Msg, 100)
	must(js.Conn().ChanSubscribe("$JS.API.CONSUMER.MSG.NEXT.>", requests))
	must0(js.Conn().Flush())
	begun, gate := make(chan int, 3), make(chan struct{})
	fn := func(_ context.Context, n int) (int, error) {
		begun <- n
		<-gate
		return n, nil
	}
	once := natspool.WithMaxDeliver(1) // a delivery that is handed back is not an attempt
	a := newPool(t, js, name, 1, fn, natspool.WithAckWait(never), once)
	request := receive(t, requests, "the pool asks for a task")
	must0(js.Conn().PublishRequest(request.Subject, request.Reply, []byte(`{"batch":5,"expires":60000000000}`)))
	must0(js.Conn().Flush())
	p := newPool[int, int](t, js, name, 0, nil)
	for n := range 3 {
		must0(p.Go(soon(t), n))
	}
	until(t, "it hands back what is too much", func() bool { return a.Stats().HandedBack >= 2 })
	b := newPool(t, js, name, 2, fn, once)
	for range 3 {
		receive(t, begun, "all three run at once")
	}
	close(gate)
	until(t, "all have run", func() bool { return a.Stats().Completed+b.Stats().Completed == 3 })
	if s := a.Stats(); s.Completed != 1 {
		t.Errorf("%+v, want one run by the pool with one worker", s)
	}
	checkSum(t, a.Stats())
}
