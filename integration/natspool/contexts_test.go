package natspool_test

import (
	"bytes"
	"context"
	"errors"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/tandemgo/tandem/integration/internal/natsserver"
	"github.com/tandemgo/tandem/integration/internal/proxy"
	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/pool/natspool"
)

// P6: no task is accepted after the root has ended, not even in the instant after.
func TestP6NothingIsAcceptedAfterTheEndOfTheRoot(t *testing.T) {
	t.Parallel()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	cause := errors.New("the end")
	for round := range 20 {
		root, cancel := context.WithCancelCause(t.Context())
		if round%2 == 0 {
			cancel(cause) // before the pool is made
		}
		p := newPool(t, js, name, round%3, func(_ context.Context, n int) (int, error) {
			t.Errorf("task %d runs", n)
			return n, nil
		}, natspool.WithContext(root))
		cancel(cause)
		for _, call := range []func() error{
			func() error { return p.Go(soon(t), 1) },
			func() error { _, err := p.Submit(soon(t), 2); return err },
			func() error { _, err := p.Do(soon(t), 3); return err },
		} {
			if err := call(); !errors.Is(err, natspool.ErrClosed) || !errors.Is(err, cause) {
				t.Errorf("got %v, want ErrClosed and the cause", err)
			}
		}
		must0(p.Close())
		if err := p.Go(soon(t), 4); !errors.Is(err, natspool.ErrClosed) || !errors.Is(err, cause) {
			t.Errorf("after Close: %v, want ErrClosed and the cause", err)
		}
	}
	if n := must(js.Stream(soon(t), "natspool-tasks-"+name)).CachedInfo().State.Msgs; n != 0 {
		t.Errorf("%d tasks are stored", n)
	}
}

// P6: no task starts after the root has ended.
func TestP6NoTaskStartsAfterTheEndOfTheRoot(t *testing.T) {
	t.Parallel()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	submitter := newPool[int, int](t, js, name, 0, nil)
	for range 10 {
		inner, cancel := context.WithCancel(t.Context())
		root := ownContext{inner}
		ended := make(chan struct{}, 100)
		p := newPool(t, js, name, 1, func(_ context.Context, n int) (int, error) {
			if root.Err() != nil {
				t.Errorf("task %d starts after the end", n)
			}
			if n == 1 {
				cancel()
			}
			ended <- struct{}{}
			return n, nil
		}, natspool.WithContext(root))
		must0(submitter.Go(soon(t), 1))
		for range 5 {
			must0(submitter.Go(soon(t), 2))
		}
		receive(t, ended, "a task runs")
		receive(t, root.Done(), "the root ends")
		must0(p.Close())
	}
	w := newPool(t, js, name, 2, func(_ context.Context, n int) (int, error) { return n, nil }, natspool.WithMaxDeliver(1))
	until(t, "what is left runs", func() bool {
		return must(js.Stream(soon(t), "natspool-tasks-"+name)).CachedInfo().State.Msgs == 0
	})
	if s := w.Stats(); s.Dead != 0 {
		t.Errorf("%+v, want no dead letters", s)
	}
}

// A call whose server does not answer ends with the pool.
func TestEndOfTheRootEndsCalls(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	network := proxy.New(t, s.Addr())
	cause := errors.New("the end")
	root, cancel := context.WithCancelCause(t.Context())
	js := connect(t, "nats://"+network.Addr())
	p := newPool[int, int](t, js, newName(t), 0, nil, natspool.WithMessageID(byNumber), natspool.WithContext(root))
	network.Stall()
	sent := js.Conn().Stats().OutMsgs
	got := make(chan error, 1)
	go func() { got <- p.Go(context.Background(), 1) }()
	until(t, "the task is under way", func() bool { return js.Conn().Stats().OutMsgs > sent })
	cancel(cause)
	if err := receive(t, got, "Go returns"); !errors.Is(err, natspool.ErrClosed) || !errors.Is(err, cause) {
		t.Errorf("Go: %v", err)
	}
	network.Pass()
}

// Close waits for calls that wait for the stream, so no task is sent after Close.
func TestCloseWaitsForWhatIsBeingSubmitted(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	network := proxy.New(t, s.Addr())
	js := connect(t, "nats://"+network.Addr())
	p := newPool[int, int](t, js, newName(t), 0, nil, natspool.WithMessageID(byNumber))
	network.Delay(300 * time.Millisecond)
	sent := js.Conn().Stats().OutMsgs
	got := make(chan error, 1)
	go func() { got <- p.Go(soon(t), 1) }()
	until(t, "the task is under way", func() bool { return js.Conn().Stats().OutMsgs > sent })
	must0(p.Close())
	if s := p.Stats(); s.Submitted != 1 {
		t.Errorf("%+v when Close has returned, want one task submitted", s)
	}
	if err := receive(t, got, "Go returns"); err != nil {
		t.Errorf("Go: %v", err)
	}
	network.Pass()
}

// P11: the context of a task may be given to another pool, which continues after the
// task has returned and its pool is idle and closed. The context ends with the root.
func TestP11ContextOutlivesItsTask(t *testing.T) {
	t.Parallel()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	cause := errors.New("the end")
	root, cancel := context.WithCancelCause(context.WithValue(t.Context(), valueKey{}, "value"))
	defer cancel(nil)
	const tasks = 20
	began, gate, looked, ended := make(chan struct{}, tasks), make(chan struct{}), make(chan struct{}, tasks), make(chan error, tasks)
	other := pool.New(tasks, func(ctx context.Context, n int) (int, error) {
		began <- struct{}{}
		<-gate
		if ctx.Err() != nil {
			t.Errorf("task %d: the context has ended: %v", n, context.Cause(ctx))
		}
		looked <- struct{}{}
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return n, nil
	})
	p := newPool(t, js, name, 2, func(ctx context.Context, n int) (int, error) {
		if ctx.Value(valueKey{}) != "value" {
			t.Error("the context has not the values of the root")
		}
		return n, other.Go(ctx, n)
	}, natspool.WithContext(root))
	for n := range tasks {
		if v, err := p.Do(soon(t), n); v != n || err != nil {
			t.Errorf("Do: %d, %v", v, err)
		}
	}
	for range tasks {
		receive(t, began, "the other pool begins")
	}
	must0(p.Close())
	close(gate)
	for range tasks {
		receive(t, looked, "the other pool goes on")
	}
	cancel(cause)
	for range tasks {
		if err := receive(t, ended, "the context ends with the root"); err != cause {
			t.Errorf("it ended with %v", err)
		}
	}
	must0(other.Close())
}

type valueKey struct{}

// An ownContext is a context of whose end the standard library learns late.
type ownContext struct{ of context.Context }

func (c ownContext) Deadline() (time.Time, bool) { return c.of.Deadline() }
func (c ownContext) Done() <-chan struct{}       { return c.of.Done() }
func (c ownContext) Err() error                  { return c.of.Err() }
func (c ownContext) Value(key any) any {
	if _, ok := key.(valueKey); ok {
		return c.of.Value(key)
	}
	return nil
}

// P11: a Shutdown that has run out of time ends the contexts of its tasks in other
// pools too.
func TestP11ShutdownEndsTheContextElsewhere(t *testing.T) {
	t.Parallel()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	contexts := make(chan context.Context, 1)
	begun := make(chan struct{}, 1)
	p := newPool(t, js, name, 2, func(ctx context.Context, n int) (int, error) {
		if n == 1 {
			contexts <- ctx
			return n, nil
		}
		begun <- struct{}{}
		<-ctx.Done()
		return n, ctx.Err()
	})
	if _, err := p.Do(soon(t), 1); err != nil {
		t.Fatal(err)
	}
	ctx := receive(t, contexts, "the task runs")
	must0(p.Go(soon(t), 2))
	receive(t, begun, "another task runs")
	if ctx.Err() != nil {
		t.Errorf("the context of the first has ended: %v", context.Cause(ctx))
	}
	cause := errors.New("out of time")
	limit, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	_ = p.Shutdown(limit)
	receive(t, ctx.Done(), "the context ends")
	if err := context.Cause(ctx); err != cause {
		t.Errorf("it ended with %v", err)
	}
	must0(p.Close())
}

// labelsOf returns the lines of the goroutine profile for goroutines in a function
// whose name has the given suffix.
func labelsOf(function string) string {
	var out bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&out, 1)
	var found []string
	for block := range strings.SplitSeq(out.String(), "\n\n") {
		if strings.Contains(block, function) {
			for line := range strings.Lines(block) {
				if strings.HasPrefix(line, "# labels:") {
					found = append(found, strings.TrimSpace(line))
				}
			}
		}
	}
	return strings.Join(found, "; ")
}

func lookAtOwnLabels() string { return labelsOf("lookAtOwnLabels") }

// C14: a task and the error handler have the profiler labels of the root: not those of
// the goroutine that made the pool, and not those set by the previous task.
func TestC14LabelsAreThoseOfTheRoot(t *testing.T) {
	for name, labels := range map[string]struct {
		root context.Context
		want string
	}{
		"none": {context.Background(), ""},
		"some": {pprof.WithLabels(context.Background(), pprof.Labels("job", "mail")), `# labels: {"job":"mail"}`},
	} {
		t.Run(name, func(t *testing.T) {
			js, name := connect(t, natsserver.Start(t).URL()), newName(t)
			seen := make(chan string, 100)
			var p *natspool.Pool[int, int]
			pprof.Do(t.Context(), pprof.Labels("request", "A"), func(context.Context) {
				p = newPool(t, js, name, 1, func(ctx context.Context, n int) (int, error) {
					seen <- lookAtOwnLabels()
					pprof.SetGoroutineLabels(pprof.WithLabels(ctx, pprof.Labels("task", "B")))
					if n == 1 {
						return 0, errors.New("it fails")
					}
					return n, nil
				}, natspool.WithMaxDeliver(1), natspool.WithContext(labels.root),
					natspool.WithErrorHandler(func(context.Context, error) { seen <- lookAtOwnLabels() }))
			})
			for range 3 {
				if _, err := p.Do(soon(t), 0); err != nil {
					t.Error(err)
				}
				if got := receive(t, seen, "the task runs"); got != labels.want {
					t.Errorf("the task has labels %q, want %q", got, labels.want)
				}
			}
			pprof.Do(t.Context(), pprof.Labels("request", "C"), func(ctx context.Context) { must0(p.Go(ctx, 1)) })
			if got := receive(t, seen, "the task runs"); got != labels.want {
				t.Errorf("the task has labels %q, want %q", got, labels.want)
			}
			if got := receive(t, seen, "the handler is called"); got != labels.want {
				t.Errorf("the handler of its error has labels %q, want %q", got, labels.want)
			}
		})
	}
}
