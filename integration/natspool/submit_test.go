package natspool_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandemgo/tandem/integration/internal/natsserver"
	"github.com/tandemgo/tandem/integration/internal/proxy"
	"github.com/tandemgo/tandem/pool/natspool"
)

func exit() { runtime.Goexit() }

// Two submitters with the same message id: the task runs once.
func TestSameMessageID(t *testing.T) {
	t.Parallel()
	s, name := natsserver.Start(t), newName(t)
	var ran atomic.Int32
	one := func(int) string { return "one" }
	a := newPool[int, int](t, connect(t, s.URL()), name, 0, nil, natspool.WithMessageID(one))
	b := newPool[int, int](t, connect(t, s.URL()), name, 0, nil, natspool.WithMessageID(one))
	var wg sync.WaitGroup
	var stored atomic.Int32
	for i := range 16 {
		wg.Go(func() {
			switch err := []*natspool.Pool[int, int]{a, b}[i%2].Go(soon(t), 1); {
			case err == nil:
				stored.Add(1)
			case !errors.Is(err, natspool.ErrDuplicate):
				t.Errorf("Go: %v, want nil or ErrDuplicate", err)
			}
		})
	}
	wg.Wait()
	if n := stored.Load(); n != 1 {
		t.Errorf("%d of 16 calls stored a task, want 1", n)
	}
	if f, err := b.Submit(soon(t), 1); !errors.Is(err, natspool.ErrDuplicate) || f != nil {
		t.Errorf("Submit: %v, %v, want ErrDuplicate", f, err)
	}
	if n := a.Stats().Duplicates + b.Stats().Duplicates; n != 16 {
		t.Errorf("%d duplicates counted, want 16", n)
	}
	w := newPool(t, connect(t, s.URL()), name, 4, func(_ context.Context, n int) (int, error) { ran.Add(1); return n, nil })
	f := must(newPool[int, int](t, connect(t, s.URL()), name, 0, nil).Submit(soon(t), 2)) // queued after it
	if _, err := f.Wait(soon(t)); err != nil {
		t.Error(err)
	}
	until(t, "both are done", func() bool { return w.Stats().Completed == 2 })
	if ran.Load() != 2 {
		t.Errorf("%d tasks ran, want 2", ran.Load())
	}
}

// A nil error from Go means that the task runs: a call returns an error for a task that
// is not stored since one with its message id has run.
func TestSameMessageIDAfterItHasRun(t *testing.T) {
	t.Parallel()
	js := connect(t, natsserver.Start(t).URL())
	var ran atomic.Int32
	p := newPool(t, js, newName(t), 1, func(_ context.Context, n int) (int, error) { ran.Add(1); return n, nil },
		natspool.WithMessageID(func(int) string { return "one" }))
	must(p.Do(soon(t), 1))
	if err := p.Go(soon(t), 2); !errors.Is(err, natspool.ErrDuplicate) {
		t.Errorf("Go: %v, want ErrDuplicate", err)
	}
	if f, err := p.Submit(soon(t), 3); !errors.Is(err, natspool.ErrDuplicate) {
		t.Errorf("Submit: %v, %v, want ErrDuplicate", f, err)
	}
	if s := p.Stats(); ran.Load() != 1 || s.Submitted != 3 || s.Duplicates != 2 {
		t.Errorf("%d runs, %+v, want 1, and 2 of 3 duplicates", ran.Load(), s)
	}
}

// A call without an acknowledgement sends again, and recognizes the stored task as its
// own.
func TestAcknowledgementLate(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	t.Parallel()
	s, name := natsserver.Start(t), newName(t)
	network := proxy.New(t, s.Addr())
	p := newPool[int, int](t, connect(t, "nats://"+network.Addr()), name, 0, nil, natspool.WithMessageID(byNumber))
	js := connect(t, s.URL())
	sent := must(js.Conn().SubscribeSync("natspool.tasks." + name))
	if err := js.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	network.Delay(3 * time.Second) // longer than the first wait of a call
	got := make(chan *natspool.Future[int], 1)
	go func() { got <- must(p.Submit(soon(t), 3)) }()
	for range 2 { // the task is sent again
		must(sent.NextMsgWithContext(soon(t)))
	}
	network.Pass()
	f := receive(t, got, "Submit returns")
	newPool(t, js, name, 1, func(_ context.Context, n int) (int, error) { return n, nil })
	if v, err := f.Wait(soon(t)); v != 3 || err != nil {
		t.Errorf("got %d, %v", v, err)
	}
	if s := p.Stats(); s.Submitted != 1 || s.Duplicates != 1 {
		t.Errorf("%+v, want one task that the stream had already", s)
	}
}

// It is unknown whether an unacknowledged task is stored, and the error wraps
// ErrUnacknowledged.
func TestUnacknowledged(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	network := proxy.New(t, s.Addr())
	p := newPool[int, int](t, connect(t, "nats://"+network.Addr()), newName(t), 0, nil)
	network.Stall()
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(cause) })
	if err := p.Go(ctx, 1); !errors.Is(err, natspool.ErrUnacknowledged) || !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	network.Pass()
	if n := p.Stats().Waiting; n != 0 {
		t.Errorf("%d results waited for", n)
	}
}

// A Do that has given up leaves no Future for Close to wait for, and its task runs.
func TestDoGivesUp(t *testing.T) {
	t.Parallel()
	s, name := natsserver.Start(t), newName(t)
	p := newPool[int, int](t, connect(t, s.URL()), name, 0, nil)
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	begun, ended := make(chan struct{}), make(chan struct{})
	newPool(t, connect(t, s.URL()), name, 1, func(context.Context, int) (int, error) {
		close(begun)
		<-ended
		return 0, nil
	})
	go func() {
		<-begun
		cancel(cause)
	}()
	if _, err := p.Do(ctx, 1); !errors.Is(err, cause) { // the task may begin before it is acknowledged
		t.Errorf("Do: %v", err)
	}
	must0(p.Close())
	close(ended)
}

// A task whose submitter is gone runs all the same.
func TestSubmitterIsGone(t *testing.T) {
	t.Parallel()
	s, name := natsserver.Start(t), newName(t)
	js := connect(t, s.URL())
	p, err := natspool.New[int, int](soon(t), js, name, 0, nil)
	must0(err)
	f := must(p.Submit(soon(t), 5))
	gone := errors.New("gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	if err := p.Shutdown(ctx); !errors.Is(err, gone) || !strings.Contains(err.Error(), "1 results") {
		t.Errorf("Shutdown: %v", err)
	}
	if _, err := f.Wait(soon(t)); !errors.Is(err, gone) || !errors.Is(err, natspool.ErrClosed) {
		t.Errorf("Wait: %v", err)
	}
	js.Conn().Close()
	ran := make(chan int, 1)
	newPool(t, connect(t, s.URL()), name, 1, func(_ context.Context, n int) (int, error) { ran <- n; return n, nil })
	if n := receive(t, ran, "the task runs"); n != 5 {
		t.Errorf("task %d ran", n)
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	js := connect(t, natsserver.Start(t).URL())
	p := newPool(t, js, newName(t), 1, func(context.Context, string) (string, error) {
		return strings.Repeat("y", 1<<20), nil
	})
	if err := p.Go(soon(t), strings.Repeat("x", 1<<20)); err == nil || !strings.Contains(err.Error(), "the task must be at most") {
		t.Errorf("Go: %v", err)
	}
	if _, err := p.Do(soon(t), "x"); err == nil || !strings.Contains(err.Error(), "the result must be at most") {
		t.Errorf("Do: %v", err)
	}
	// The largest accepted task can become a dead letter as well.
	if _, err := p.Do(soon(t), strings.Repeat("x", 1<<20-33<<10)); err == nil {
		t.Error("Do: no error")
	}
	if n := len(letters(t, p)); n != 2 {
		t.Errorf("%d dead letters, want 2", n)
	}
}

// Processes that start at the same time make one pool.
func TestMadeAtOnce(t *testing.T) {
	t.Parallel()
	s, name := natsserver.Start(t), newName(t)
	var wg sync.WaitGroup
	for n := range 8 {
		js := connect(t, s.URL())
		wg.Go(func() {
			p, err := natspool.New(soon(t), js, name, 1, func(_ context.Context, n int) (int, error) { return n, nil })
			if err != nil {
				t.Error(err)
				return
			}
			if v, err := p.Do(soon(t), n); v != n || err != nil {
				t.Errorf("Do(%d) = %d, %v", n, v, err)
			}
			p.Close()
		})
	}
	wg.Wait()
}

// A deleted consumer is created again.
func TestConsumerDeleted(t *testing.T) {
	t.Parallel()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	p := newPool(t, js, name, 1, func(_ context.Context, n int) (int, error) { return n, nil })
	if v, err := p.Do(soon(t), 1); v != 1 || err != nil {
		t.Errorf("Do = %d, %v", v, err)
	}
	must0(js.DeleteConsumer(soon(t), "natspool-tasks-"+name, "workers"))
	if v, err := p.Do(soon(t), 2); v != 2 || err != nil {
		t.Errorf("Do = %d, %v", v, err)
	}
}
