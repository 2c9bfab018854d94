package pool_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/pool"
)

// enders lists the ways to end a pool whose tasks have all started.
var enders = map[string]func(*pool.Pool[int, int]) error{
	"Close":    func(p *pool.Pool[int, int]) error { return p.Close() },
	"Shutdown": func(p *pool.Pool[int, int]) error { return p.Shutdown(context.Background()) },
	"Stop":     func(p *pool.Pool[int, int]) error { _, err := p.Stop(context.Background()); return err },
}

// P10: without a handler, each way to end a pool returns the errors of tasks given to Go: the
// first eight, and how many more there were. They are returned again.
func TestP10ErrorsOfGoAreReturned(t *testing.T) {
	for name, end := range enders {
		for _, n := range []int{0, 1, 2, 8, 9, 20} {
			t.Run(fmt.Sprint(name, " ", n), func(t *testing.T) {
				var errs []error
				for i := range n {
					errs = append(errs, fmt.Errorf("error %d", i))
				}
				p := pool.New(1, func(_ context.Context, i int) (int, error) { return 0, errs[i] })
				for i := range n {
					if i%2 == 0 {
						must0(p.Go(t.Context(), i))
					} else {
						must0(p.TryGo(t.Context(), i))
					}
				}
				must0(p.Wait(t.Context())) // none is left for Stop
				want := ""
				for i := range min(n, 8) {
					want += fmt.Sprintf("error %d\n", i)
				}
				if want = strings.TrimSuffix(want, "\n"); n > 8 {
					want += fmt.Sprintf("\nand %d more errors", n-8)
				}
				for range 2 {
					err := end(p)
					if (err == nil) != (n == 0) || err != nil && err.Error() != want {
						t.Errorf("got %v, want %s", err, want)
					}
					for i, e := range errs {
						if errors.Is(err, e) != (i < 8) {
							t.Errorf("matches error %d: %v", i, errors.Is(err, e))
						}
					}
					if n == 1 && err != errs[0] {
						t.Errorf("got %#v, want the error itself", err)
					}
				}
			})
		}
	}
}

// P10: what has a result of its own is not returned again; a Goexit is an error as well.
func TestP10OnlyWhatNoOneWaitsForIsReturned(t *testing.T) {
	p := pool.New(1, func(_ context.Context, n int) (int, error) {
		switch n {
		case 1:
			runtime.Goexit()
		case 2:
			return 0, nil
		}
		return 0, errTask
	})
	_, _ = p.Do(t.Context(), 0)
	_, _ = must(p.Submit(t.Context(), 0)).Wait(t.Context())
	must(p.Submit(t.Context(), 0)) // whose result no one reads
	g := p.Group(t.Context(), pool.CollectAll())
	accept(g.Go(0))
	_, _ = g.Wait(t.Context())
	for range p.Map(t.Context(), count(1)) {
	}
	must0(p.Go(t.Context(), 2))
	must0(p.Go(t.Context(), 1))
	if err := p.Close(); err != pool.ErrGoexit {
		t.Errorf("got %v, want %v", err, pool.ErrGoexit)
	}
}

// P10, C11: a task given to Go that never started is an error, too, unless Stop returns it.
func TestP10TasksThatNeverStartedAreReturned(t *testing.T) {
	for _, how := range []string{"Close", "Shutdown", "Stop", "pool's context"} {
		synctest.Test(t, func(t *testing.T) {
			errOwn, errEnd := errors.New("own"), errors.New("end")
			root, endRoot := context.WithCancelCause(context.Background())
			defer endRoot(nil)
			gate := make(chan struct{})
			p := pool.New(1, func(context.Context, int) (int, error) { <-gate; return 0, nil }, pool.WithContext(root))
			must0(p.Go(t.Context(), 0))
			synctest.Wait()
			own, cancel := context.WithCancelCause(t.Context())
			must0(p.Go(own, 1))
			must0(p.Go(own, 2))
			must0(p.Go(t.Context(), 3))
			cancel(errOwn)
			synctest.Wait()
			want := []error{errOwn}
			var left []int
			switch how {
			case "Shutdown":
				if err := p.Shutdown(over(errEnd)); !errors.Is(err, errEnd) {
					t.Errorf("%s: %v", how, err)
				}
				want = []error{errEnd} // of all that are in the queue
			case "Stop":
				left, _ = p.Stop(over(errEnd))
				want = nil
			case "pool's context":
				endRoot(errEnd)
				want = []error{errEnd}
			}
			synctest.Wait()
			close(gate)
			err := p.Close()
			for _, is := range want {
				if !errors.Is(err, is) || !errors.Is(err, pool.ErrNotStarted) {
					t.Errorf("%s: Close returned %v, want %v", how, err, is)
				}
			}
			if how == "Stop" && (!slices.Contains(left, 3) || err != nil && !errors.Is(err, errOwn)) {
				t.Errorf("%s: %v were left; %v", how, left, err)
			}
		})
	}
}

// P10: a handler is called with the context of the task, and then Close returns nothing.
func TestP10TheHandlerGetsTheTasksContext(t *testing.T) {
	for _, how := range []string{"runs", "never starts"} {
		synctest.Test(t, func(t *testing.T) {
			type told struct {
				value any
				err   error
			}
			heard := make(chan told, 1)
			gate := make(chan struct{})
			p := pool.New(1, func(_ context.Context, n int) (int, error) {
				if n == 0 {
					<-gate
					return 0, nil
				}
				return 0, errTask
			}, pool.WithErrorHandler(func(ctx context.Context, err error) { heard <- told{ctx.Value(keyed{}), err} }))
			must0(p.Go(t.Context(), 0))
			ctx, cancel := context.WithCancelCause(context.WithValue(t.Context(), keyed{}, "value"))
			must0(p.Go(ctx, 1))
			if how == "never starts" {
				cancel(errTask)
			}
			close(gate)
			must0(p.Close())
			got := <-heard
			if got.value != "value" || !errors.Is(got.err, errTask) || errors.Is(got.err, pool.ErrNotStarted) != (how == "never starts") {
				t.Errorf("%s: told %v", how, got)
			}
			cancel(nil)
		})
	}
}

// P10: an error of closing a state goes to the handler, and Close returns it in any case.
func TestP10ErrorsOfClosingStates(t *testing.T) {
	for _, handled := range []bool{false, true} {
		for name, end := range enders {
			told := 0
			var opts []pool.Option
			if handled {
				opts = append(opts, pool.WithErrorHandler(func(_ context.Context, err error) {
					if errors.Is(err, errTask) {
						told++
					}
				}))
			}
			p := pool.NewStateful(1, func(context.Context) (int, error) { return 0, nil },
				func(context.Context, int, int) (int, error) { return 0, nil },
				func(int) error { return errTask }, opts...)
			must(p.Do(t.Context(), 1))
			if err := end(p); !errors.Is(err, errTask) || !strings.Contains(err.Error(), "closing the state") {
				t.Errorf("%s, handled %v: %v", name, handled, err)
			}
			if (told == 1) != handled {
				t.Errorf("%s, handled %v: told %d times", name, handled, told)
			}
		}
	}
}

// P10: the errors that a pool keeps are the first eight: the memory for them is bounded (C8).
func TestC8AtMostEightErrorsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type failure struct {
			error
			b *blob
		}
		w := watched{}
		p := pool.New(1, func(_ context.Context, n int) (int, error) {
			return 0, failure{errTask, w.make(fmt.Sprint(n))}
		})
		for n := range 20 {
			must0(p.Go(context.Background(), n))
		}
		must0(p.Wait(context.Background()))
		for n := range 8 {
			delete(w, fmt.Sprint(n))
		}
		if len(w) != 12 {
			t.Errorf("%d errors", len(w))
		}
		w.check(t)
		if err := p.Close(); err == nil || !strings.HasSuffix(err.Error(), "\nand 12 more errors") {
			t.Error(err)
		}
	})
}

// C11: whatever keeps a task from starting, its error matches ErrNotStarted and the cause; the
// error of one that has started does not.
func TestC11ErrorOfATaskThatNeverStarted(t *testing.T) {
	cause := errors.New("cause")
	type env struct {
		p      *pool.Pool[int, int]
		cancel context.CancelCauseFunc // of the tasks' context
		root   context.CancelCauseFunc
		future *pool.Future[int]
		group  *pool.Group[int, int]
	}
	reasons := map[string]struct {
		act func(e env)
		is  error
	}{
		"context":      {func(e env) { e.cancel(cause) }, cause},
		"pool context": {func(e env) { e.root(cause) }, cause},
		"Shutdown":     {func(e env) { _ = e.p.Shutdown(over(cause)) }, cause},
		"Stop":         {func(e env) { _, _ = e.p.Stop(over(cause)) }, pool.ErrClosed},
		"Cancel":       {func(e env) { e.future.Cancel(cause); e.group.Close() }, cause},
	}
	for name, r := range reasons {
		for shape, build := range shapes {
			if shape == "no queue" {
				continue
			}
			t.Run(name+"/"+shape, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancelCause(context.Background())
					root, endRoot := context.WithCancelCause(context.Background())
					defer endRoot(nil)
					defer cancel(nil)
					gate := make(chan struct{})
					p := build(1, func(ctx context.Context, n int) (int, error) {
						<-gate
						return n, context.Cause(ctx)
					}, pool.WithContext(root))
					running := must(p.Submit(ctx, 0))
					synctest.Wait()
					f := must(p.Submit(ctx, 2))
					g := p.Group(ctx, pool.CollectAll())
					accept(g.Go(4))
					ofGroup := make(chan error, 1)
					go func() {
						for _, err := range g.Results(context.Background()) {
							ofGroup <- err
						}
					}()
					ofDo := make(chan error, 1)
					go func() { _, err := p.Do(context.WithoutCancel(ctx), 6); ofDo <- err }()
					synctest.Wait()
					go r.act(env{p, cancel, endRoot, f, g})
					synctest.Wait()
					close(gate)
					check := func(what string, err error, is error) {
						t.Helper()
						if !errors.Is(err, pool.ErrNotStarted) || !errors.Is(err, is) || !strings.Contains(err.Error(), "not started: ") {
							t.Errorf("%s: %v, want ErrNotStarted and %v", what, err, is)
						}
					}
					_, err := f.Wait(context.Background())
					check("future", err, r.is)
					if name != "Cancel" {
						check("group", byTask(t, 0, <-ofGroup), r.is)
					} else {
						check("group", byTask(t, 0, <-ofGroup), context.Canceled)
					}
					if err := <-ofDo; name == "context" || name == "Cancel" {
						must0(err)
					} else {
						check("Do", err, r.is)
					}
					if _, err := running.Wait(context.Background()); errors.Is(err, pool.ErrNotStarted) {
						t.Errorf("the one that ran: %v", err)
					}
					_ = p.Close()
					checkSum(t, p.Stats())
				})
			})
		}
	}
}

// C11, C10: in a FailFast group those that never started say so, and why, each with its index.
func TestC11OthersOfAFailedGroup(t *testing.T) {
	for _, inside := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			walk := func(ctx context.Context, p *pool.Pool[int, int]) {
				g := p.Group(ctx)
				for n := range 5 {
					accept(g.Go(n))
				}
				seen := 0
				for r, err := range g.Results(ctx) {
					seen++
					switch err := byTask(t, r.Index, err); {
					case r.Task != r.Index:
						t.Errorf("result %+v", r)
					case r.Index == 0 && err != errTask:
						t.Errorf("the one that failed: %v", err)
					case r.Index > 0 && (!errors.Is(err, pool.ErrNotStarted) || !errors.Is(err, errTask)):
						t.Errorf("task %d: %v", r.Index, err)
					}
				}
				if _, err := g.Wait(ctx); seen != 5 || byTask(t, 0, err) != errTask {
					t.Errorf("%d results; Wait: %v", seen, err)
				}
			}
			gate := make(chan struct{})
			var p *pool.Pool[int, int]
			p = pool.New(1, func(ctx context.Context, n int) (int, error) {
				if n == -1 {
					walk(ctx, p)
					return 0, nil
				}
				if !inside {
					<-gate
				}
				return 0, errTask
			})
			if inside {
				must(p.Do(t.Context(), -1))
			} else {
				time.AfterFunc(time.Second, func() { close(gate) })
				walk(t.Context(), p)
			}
			must0(p.Close())
		})
	}
}
