package natspool_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tandemgo/tandem/integration/internal/natsserver"
	"github.com/tandemgo/tandem/integration/internal/proxy"
	"github.com/tandemgo/tandem/pool/natspool"
)

// never is a wait for signs of life that no test outlasts.
const never = time.Hour

// Tasks that were delivered and have not begun when a worker shuts down are delivered
// to another worker at once, and not only after the first worker was silent for long.
func TestShutdownHandsBackWhatHasNotBegun(t *testing.T) {
	t.Parallel()
	s, name := natsserver.Start(t), newName(t)
	network := proxy.New(t, s.Addr())
	a := newPool(t, connect(t, "nats://"+network.Addr()), name, 4, func(ctx context.Context, n int) (int, error) {
		<-ctx.Done() // for a task that arrives before Shutdown begins
		return 0, context.Cause(ctx)
	}, natspool.WithAckWait(never))
	js := connect(t, s.URL())
	p := newPool[int, int](t, js, name, 0, nil)
	until(t, "the worker waits for tasks", func() bool {
		return must(js.Consumer(soon(t), "natspool-tasks-"+name, "workers")).CachedInfo().NumWaiting > 0
	})
	network.Stall() // tasks are in flight
	for n := range 4 {
		must0(p.Go(soon(t), n))
	}
	until(t, "the server has sent the tasks", func() bool {
		return must(js.Consumer(soon(t), "natspool-tasks-"+name, "workers")).CachedInfo().NumAckPending == 4
	})
	ended := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), maxWait/2)
		defer cancel()
		ended <- a.Shutdown(ctx)
	}()
	until(t, "Shutdown begins", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		return errors.Is(a.Go(ctx, 9), natspool.ErrClosed)
	})
	network.Pass()
	ran := make(chan int, 8)
	newPool(t, js, name, 4, func(_ context.Context, n int) (int, error) { ran <- n; return n, nil })
	var all []int
	for len(all) < 4 {
		if n := receive(t, ran, "the other worker gets them"); n != 9 {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	if !slices.Equal(all, []int{0, 1, 2, 3}) {
		t.Errorf("ran %v", all)
	}
	if err := receive(t, ended, "Shutdown returns"); err != nil {
		t.Logf("Shutdown: %v", err) // a task had arrived before it
	}
	if s := a.Stats(); s.HandedBack != 4 {
		t.Errorf("%+v, want 4 handed back", s)
	}
	checkSum(t, a.Stats())
}

// Tasks that run when Shutdown is out of time are delivered to another worker at once,
// even if they ignore their context.
func TestShutdownHandsBackWhatRuns(t *testing.T) {
	t.Parallel()
	s, name := natsserver.Start(t), newName(t)
	begun, gate := make(chan struct{}, 2), make(chan struct{})
	a := newPool(t, connect(t, s.URL()), name, 2, func(ctx context.Context, n int) (int, error) {
		begun <- struct{}{}
		if n == 0 {
			<-ctx.Done()
			return 0, context.Cause(ctx)
		}
		<-gate // ignores ctx
		return n, nil
	}, natspool.WithAckWait(never))
	js := connect(t, s.URL())
	p := newPool[int, int](t, js, name, 0, nil)
	for n := range 2 {
		must0(p.Go(soon(t), n))
		receive(t, begun, "a task begins")
	}
	cause := errors.New("time is up")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if err := a.Shutdown(ctx); !errors.Is(err, cause) || !strings.Contains(err.Error(), "2 tasks handed back") {
		t.Errorf("Shutdown: %v", err)
	}
	ran := make(chan int, 2)
	newPool(t, js, name, 2, func(_ context.Context, n int) (int, error) { ran <- n; return n, nil })
	if x, y := receive(t, ran, "the other worker gets it"), receive(t, ran, "the other worker gets it"); x+y != 1 {
		t.Errorf("it got %d and %d", x, y)
	}
	close(gate)
	must0(a.Close())
	if s := a.Stats(); s.HandedBack != 2 || s.Running != 0 {
		t.Errorf("%+v, want 2 handed back", s)
	}
	checkSum(t, a.Stats())
}

// The end of the root context has the same effect.
func TestEndOfTheRoot(t *testing.T) {
	t.Parallel()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	root, cancel := context.WithCancelCause(t.Context())
	begun, causes := make(chan struct{}, 1), make(chan error, 1)
	a := newPool(t, js, name, 1, func(ctx context.Context, n int) (int, error) {
		begun <- struct{}{}
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return 0, ctx.Err()
	}, natspool.WithAckWait(never), natspool.WithContext(root))
	f := must(a.Submit(soon(t), 1))
	receive(t, begun, "the task begins")
	cause := errors.New("the end")
	cancel(cause)
	if err := receive(t, causes, "the task's context ends"); err != cause {
		t.Errorf("it ended with %v", err)
	}
	if _, err := f.Wait(soon(t)); !errors.Is(err, cause) || !errors.Is(err, natspool.ErrClosed) {
		t.Errorf("Wait: %v", err)
	}
	must0(a.Close())
	if err := a.Go(soon(t), 2); !errors.Is(err, natspool.ErrClosed) {
		t.Errorf("Go: %v", err)
	}
	ran := make(chan int, 1)
	newPool(t, js, name, 1, func(_ context.Context, n int) (int, error) { ran <- n; return n, nil })
	receive(t, ran, "another worker gets it")
}

// A pool made with a root that has ended is closed.
func TestRootHasEnded(t *testing.T) {
	t.Parallel()
	js := connect(t, natsserver.Start(t).URL())
	root, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		a := newPool(t, js, "ended", 1, func(_ context.Context, n int) (int, error) { return n, nil }, natspool.WithContext(root))
		must0(a.Close())
		if err := a.Go(soon(t), 2); !errors.Is(err, natspool.ErrClosed) {
			t.Errorf("Go: %v", err)
		}
	}
}

// Signs of life keep a task that takes longer than a worker may be silent.
func TestLongTask(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	t.Parallel()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	signs := make(chan struct{}, 100)
	must(js.Conn().Subscribe("$JS.ACK.>", func(m *nats.Msg) {
		if string(m.Data) == "+WPI" {
			signs <- struct{}{}
		}
	}))
	must0(js.Conn().Flush())
	var ran atomic.Int32
	fn := func(_ context.Context, n int) (int, error) {
		ran.Add(1)
		for range 4 { // a third of the time, and a tick, each
			receive(t, signs, "a sign of life")
		}
		return n, nil
	}
	a := newPool(t, js, name, 1, fn, natspool.WithAckWait(3*time.Second))
	b := newPool(t, connect(t, js.Conn().ConnectedUrl()), name, 1, fn)
	start := time.Now()
	if v, err := a.Do(soon(t), 3); v != 3 || err != nil {
		t.Errorf("got %d, %v", v, err)
	}
	if d := time.Since(start); d < 3*time.Second {
		t.Errorf("it took %v, too short to show anything", d)
	}
	if n := a.Stats().Redelivered + b.Stats().Redelivered; n != 0 || ran.Load() != 1 {
		t.Errorf("%d runs, %d redeliveries, want 1, 0", ran.Load(), n)
	}
}
