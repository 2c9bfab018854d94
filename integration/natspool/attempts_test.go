package natspool_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/integration/internal/natsserver"
	"github.com/tandemgo/tandem/integration/internal/proxy"
	"github.com/tandemgo/tandem/pool/natspool"
)

// noDelay makes the server deliver a failed task again at once.
var noDelay = natspool.WithBackoff(0)

// handBackBy are the ways in which a worker hands back a running task: each ends the
// task's context.
var handBackBy = map[string]func(t *testing.T, p *natspool.Pool[int, int], endRoot func()){
	"Shutdown": func(t *testing.T, p *natspool.Pool[int, int], _ func()) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := p.Shutdown(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Shutdown: %v", err)
		}
	},
	"root": func(_ *testing.T, _ *natspool.Pool[int, int], endRoot func()) { endRoot() },
	"rootWhileClosing": func(t *testing.T, p *natspool.Pool[int, int], endRoot func()) {
		go p.Close()
		endRoot()
	},
}

// endings are the ways in which a task may end after the end of its context.
var endings = map[string]func(ctx context.Context) (int, error){
	"cause":     func(ctx context.Context) (int, error) { return 0, context.Cause(ctx) },
	"own error": func(context.Context) (int, error) { return 0, errors.New("the connection is closed") },
	"permanent": func(ctx context.Context) (int, error) { return 0, natspool.Permanent(ctx.Err()) },
	"panic":     func(context.Context) (int, error) { panic("the connection is closed") },
	"Goexit":    func(context.Context) (int, error) { runtime.Goexit(); return 0, nil },
}

// A task that is handed back repeatedly in its last attempt does not become a dead
// letter, however it ends, and keeps that attempt.
func TestHandBacksAreNoAttempts(t *testing.T) {
	for by, handBack := range handBackBy {
		for how, end := range endings {
			t.Run(by+"/"+how, func(t *testing.T) {
				t.Parallel()
				js, name := connect(t, natsserver.Start(t).URL()), newName(t)
				submitter := newPool[int, int](t, js, name, 0, nil)
				must0(submitter.Go(soon(t), 1))
				for range 4 {
					root, endRoot := context.WithCancel(t.Context())
					begun := make(chan struct{}, 1)
					p := newPool(t, js, name, 1, func(ctx context.Context, _ int) (int, error) {
						begun <- struct{}{}
						<-ctx.Done()
						return end(ctx)
					}, natspool.WithMaxDeliver(1), natspool.WithContext(root), natspool.WithAckWait(never))
					receive(t, begun, "the task begins")
					handBack(t, p, endRoot)
					must0(p.Close())
					endRoot()
					if s := p.Stats(); s.HandedBack != 1 || s.Failed != 0 || s.Dead != 0 {
						t.Errorf("%+v, want one task handed back", s)
					}
					checkSum(t, p.Stats())
				}
				if n := len(letters(t, submitter)); n != 0 {
					t.Errorf("%d dead letters of a task that has never failed", n)
				}
				w := newPool(t, js, name, 1, func(context.Context, int) (int, error) { return 0, errors.New("it fails") },
					natspool.WithMaxDeliver(1), noDelay)
				until(t, "it is a dead letter", func() bool { return w.Stats().Dead == 1 })
				if l := letters(t, submitter); len(l) != 1 || l[0].Err.Error() != "it fails" {
					t.Errorf("dead letters %+v", l)
				}
				checkNoBacks(t, js, name)
			})
		}
	}
}

// checkNoBacks fails the test if records of deliveries are left.
func checkNoBacks(t *testing.T, js jetstream.JetStream, name string) {
	t.Helper()
	until(t, "the notes of a task that has ended are deleted", func() bool {
		return must(js.Stream(soon(t), "natspool-back-"+name)).CachedInfo().State.Msgs == 0
	})
}

// Failures count, with and without hand-backs between them.
func TestFailuresBetweenHandBacks(t *testing.T) {
	t.Parallel()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	submitter := newPool[int, int](t, js, name, 0, nil)
	f := must(submitter.Submit(soon(t), 1))
	var failures atomic.Int32
	for round := range 3 {
		begun := make(chan struct{}, 9)
		p := newPool(t, js, name, 1, func(ctx context.Context, _ int) (int, error) {
			if int(failures.Load()) <= round {
				failures.Add(1)
				return 0, errors.New("it fails")
			}
			begun <- struct{}{}
			<-ctx.Done()
			return 0, ctx.Err()
		}, natspool.WithMaxDeliver(4), noDelay)
		receive(t, begun, "the task begins, after a failure")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = p.Shutdown(ctx)
		must0(p.Close())
	}
	w := newPool(t, js, name, 1, func(context.Context, int) (int, error) {
		failures.Add(1)
		return 0, errors.New("it fails")
	}, natspool.WithMaxDeliver(4), noDelay)
	if _, err := f.Wait(soon(t)); err == nil || err.Error() != "it fails" {
		t.Errorf("Wait: %v", err)
	}
	if n := failures.Load(); n != 4 {
		t.Errorf("it failed %d times, want 4", n)
	}
	until(t, "it is a dead letter", func() bool { return w.Stats().Dead == 1 })
	checkNoBacks(t, js, name)
}

// A worker that dies has attempted the task, also between hand-backs.
func TestKilledWorkersBetweenHandBacks(t *testing.T) {
	t.Parallel()
	s, name := natsserver.Start(t), newName(t)
	js := connect(t, s.URL())
	p := newPool[int, int](t, js, name, 0, nil)
	killed := make(chan *nats.Msg, 10)
	must(js.Conn().ChanSubscribe("begun."+name, killed))
	must0(js.Conn().Flush())
	f := must(p.Submit(soon(t), 7))
	for range 2 {
		begun := make(chan struct{}, 1)
		w := newPool(t, js, name, 1, func(ctx context.Context, _ int) (int, error) {
			begun <- struct{}{}
			<-ctx.Done()
			return 0, ctx.Err()
		}, natspool.WithMaxDeliver(2), natspool.WithAckWait(time.Second))
		receive(t, begun, "the task begins")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = w.Shutdown(ctx)
		must0(w.Close())

		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), workerURL+"="+s.URL(), workerName+"="+name)
		cmd.Stderr = os.Stderr
		must0(cmd.Start())
		receive(t, killed, "the process begins the task")
		must0(cmd.Process.Kill())
		cmd.Wait()
	}
	w := newPool(t, js, name, 1, func(context.Context, int) (int, error) {
		t.Error("it runs once too often")
		return 0, nil
	}, natspool.WithMaxDeliver(2))
	if _, err := f.Wait(soon(t)); err == nil {
		t.Error("Wait: no error")
	}
	if s := w.Stats(); s.Exhausted != 1 || s.Dead != 1 {
		t.Errorf("%+v, want one task that has been delivered too often", s)
	}
}

// A task that ignores its context is handed back, and its own end does not count,
// unless it succeeds.
func TestTaskThatOutlivesItsPool(t *testing.T) {
	t.Parallel()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	submitter := newPool[int, int](t, js, name, 0, nil)
	must0(submitter.Go(soon(t), 1))
	begun, gate := make(chan struct{}, 1), make(chan struct{})
	a := newPool(t, js, name, 1, func(context.Context, int) (int, error) {
		begun <- struct{}{}
		<-gate
		return 0, natspool.Permanent(errors.New("it fails late"))
	}, natspool.WithMaxDeliver(1), natspool.WithAckWait(never))
	receive(t, begun, "the task begins")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = a.Shutdown(ctx)
	b := newPool(t, js, name, 1, func(context.Context, int) (int, error) { close(gate); must0(a.Close()); return 0, nil },
		natspool.WithMaxDeliver(1))
	until(t, "the other worker ends it", func() bool { return b.Stats().Completed == 1 })
	if n := len(letters(t, submitter)); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

// A context made by the task itself is no reason to hand the task back.
func TestTaskWithATimeoutOfItsOwn(t *testing.T) {
	t.Parallel()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	root, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := newPool(t, js, name, 1, func(ctx context.Context, _ int) (int, error) {
		ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		<-ctx.Done()
		return 0, ctx.Err()
	}, natspool.WithMaxDeliver(1), natspool.WithContext(root))
	_, err := p.Do(soon(t), 1)
	if e, ok := errors.AsType[*natspool.TaskError](err); !ok || e.Text != context.DeadlineExceeded.Error() {
		t.Errorf("Do: %v", err)
	}
	if s := p.Stats(); s.Failed != 1 || s.Dead != 1 || s.HandedBack != 0 {
		t.Errorf("%+v, want one failure and a dead letter", s)
	}
}

// A task that succeeds although its context has ended has succeeded.
func TestSuccessAfterTheEndOfTheRoot(t *testing.T) {
	t.Parallel()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	submitter := newPool[int, int](t, js, name, 0, nil)
	f := must(submitter.Submit(soon(t), 1))
	root, cancel := context.WithCancel(t.Context())
	newPool(t, js, name, 1, func(ctx context.Context, n int) (int, error) {
		cancel()
		<-ctx.Done()
		return 10 * n, nil
	}, natspool.WithContext(root), natspool.WithMaxDeliver(1))
	if v, err := f.Wait(soon(t)); v != 10 || err != nil {
		t.Errorf("got %d, %v", v, err)
	}
}

// A task that is delivered again to the worker that runs it, since the server has not
// heard of the worker for too long, was attempted once.
func TestTaskThatComesBackToItsWorkerIsOneAttempt(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	t.Parallel()
	s, name := natsserver.Start(t), newName(t)
	network := proxy.New(t, s.Addr())
	begun, gate := make(chan struct{}, 2), make(chan struct{})
	var ran atomic.Int32
	w := newPool(t, connect(t, "nats://"+network.Addr()), name, 2, func(_ context.Context, n int) (int, error) {
		if ran.Add(1) > 1 {
			return n, nil
		}
		begun <- struct{}{}
		<-gate
		return 0, errors.New("it fails once")
	}, natspool.WithAckWait(time.Second), natspool.WithMaxDeliver(2), noDelay)
	js := connect(t, s.URL())
	must0(newPool[int, int](t, js, name, 0, nil).Go(soon(t), 1))
	receive(t, begun, "the task begins")
	network.Cut()
	time.Sleep(3 * time.Second) // the worker is cut off for longer than it may be silent
	network.Pass()
	until(t, "it comes back", func() bool { return w.Stats().Spared > 0 })
	close(gate)
	until(t, "it ends", func() bool { s := w.Stats(); return s.Completed+s.Dead == 1 })
	if s := w.Stats(); s.Completed != 1 || s.Failed != 1 || s.Exhausted != 0 {
		t.Errorf("%+v, want a failure and a success", s)
	}
	checkNoBacks(t, js, name)
}

// If the stream of records is deleted, each delivery counts, and the stream is created
// again.
func TestStreamOfHandBacksIsDeleted(t *testing.T) {
	t.Parallel()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	p := newPool(t, js, name, 1, func(context.Context, int) (int, error) { return 0, errors.New("it fails") },
		natspool.WithMaxDeliver(3), noDelay)
	must0(js.DeleteStream(soon(t), "natspool-back-"+name))
	if _, err := p.Do(soon(t), 1); err == nil || err.Error() != "it fails" {
		t.Errorf("Do: %v", err)
	}
	if s := p.Stats(); s.Failed != 3 {
		t.Errorf("%+v, want three failures", s)
	}
	until(t, "the stream is made again", func() bool {
		_, err := js.Stream(soon(t), "natspool-back-"+name)
		return err == nil
	})
}
