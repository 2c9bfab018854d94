package pool_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/pool"
)

// entries lists every way to give a pool a task, each with the error that the caller sees.
var entries = map[string]func(ctx context.Context, p *pool.Pool[int, int]) error{
	"Go":        func(ctx context.Context, p *pool.Pool[int, int]) error { return p.Go(ctx, 7) },
	"TryGo":     func(ctx context.Context, p *pool.Pool[int, int]) error { return p.TryGo(ctx, 7) },
	"Submit":    func(ctx context.Context, p *pool.Pool[int, int]) error { _, err := p.Submit(ctx, 7); return err },
	"TrySubmit": func(ctx context.Context, p *pool.Pool[int, int]) error { _, err := p.TrySubmit(ctx, 7); return err },
	"Do":        func(ctx context.Context, p *pool.Pool[int, int]) error { _, err := p.Do(ctx, 7); return err },
	"Group.Go": func(ctx context.Context, p *pool.Pool[int, int]) error {
		g := p.Group(ctx)
		if !g.Go(7) {
			_, err := g.Wait(context.WithoutCancel(ctx))
			return err
		}
		return nil
	},
	"Group.Wait": func(ctx context.Context, p *pool.Pool[int, int]) error {
		g := p.Group(ctx)
		_ = g.Go(7)
		_, err := g.Wait(context.WithoutCancel(ctx))
		return err
	},
	"Map": func(ctx context.Context, p *pool.Pool[int, int]) (err error) {
		for _, err = range p.Map(ctx, count(3)) {
		}
		return err
	},
	"Map unordered": func(ctx context.Context, p *pool.Pool[int, int]) (err error) {
		for _, err = range p.Map(ctx, count(3), pool.Unordered()) {
		}
		return err
	},
}

// shapes lists kinds of pools.
var shapes = map[string]func(workers int, fn pool.Func[int, int], opts ...pool.Option) *pool.Pool[int, int]{
	"plain": pool.New[int, int],
	"no queue": func(workers int, fn pool.Func[int, int], opts ...pool.Option) *pool.Pool[int, int] {
		return pool.New(workers, fn, append(opts, pool.WithQueue(0))...)
	},
	"key": func(workers int, fn pool.Func[int, int], opts ...pool.Option) *pool.Pool[int, int] {
		return pool.NewOrdered(workers, pool.ByKey(func(n int) int { return n % 2 }), fn, opts...)
	},
	"priority": func(workers int, fn pool.Func[int, int], opts ...pool.Option) *pool.Pool[int, int] {
		return pool.NewOrdered(workers, pool.ByPriority(time.Second, func(n int) int { return n }), fn, opts...)
	},
}

var errRoot = errors.New("root")

// roots lists the entries in which the context of a pool ends. end is called after New.
var roots = map[string]func() (ctx context.Context, end func(), cause error){
	"cancelled": func() (context.Context, func(), error) {
		ctx, cancel := context.WithCancelCause(context.Background())
		return ctx, func() { cancel(errRoot) }, errRoot
	},
	"parent cancelled": func() (context.Context, func(), error) {
		parent, cancel := context.WithCancel(context.Background())
		ctx := context.WithValue(parent, keyed{}, 1)
		return ctx, cancel, context.Canceled
	},
	"deadline": func() (context.Context, func(), error) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		return ctx, func() { time.Sleep(time.Second); <-ctx.Done(); cancel() }, context.DeadlineExceeded
	},
	"before New": func() (context.Context, func(), error) {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(errRoot)
		return ctx, func() {}, errRoot
	},
	"of a type of its own": func() (context.Context, func(), error) {
		ctx := &ownContext{Context: context.Background(), done: make(chan struct{})}
		return ctx, func() { ctx.err.Store(&errRoot); close(ctx.done) }, errRoot
	},
}

// An ownContext is a context that package context does not know.
type ownContext struct {
	context.Context
	done chan struct{}
	err  atomic.Pointer[error]
}

func (c *ownContext) Done() <-chan struct{} { return c.done }
func (c *ownContext) Err() error {
	if err := c.err.Load(); err != nil {
		return *err
	}
	return nil
}

// P6: from the moment at which the context of a pool has ended nothing is accepted, in
// no way, and the error says why.
func TestP6NothingIsAcceptedAfterTheRootHasEnded(t *testing.T) {
	for how, root := range roots {
		for shape, build := range shapes {
			for name, way := range entries {
				synctest.Test(t, func(t *testing.T) {
					ctx, end, cause := root()
					ran := false
					p := build(2, func(context.Context, int) (int, error) { ran = true; return 0, nil }, pool.WithContext(ctx))
					end()
					for _, ctx := range []context.Context{context.Background(), ctx} {
						err := way(ctx, p)
						if name == "Group.Wait" && ctx.Err() != nil && errors.Is(err, cause) {
							continue // the group's own context has ended, too
						}
						if !errors.Is(err, pool.ErrClosed) || !errors.Is(err, cause) {
							t.Errorf("%s, %s, %s: %v, want ErrClosed and %v", how, shape, name, err, cause)
						}
					}
					if s := p.Stats(); s.Submitted != 0 || ran {
						t.Errorf("%s, %s, %s: accepted, ran %v: %+v", how, shape, name, ran, s)
					}
					synctest.Wait()
					if err := way(context.Background(), p); !errors.Is(err, pool.ErrClosed) || !errors.Is(err, cause) {
						t.Errorf("%s, %s, %s: later %v, want ErrClosed and %v", how, shape, name, err, cause)
					}
					p.Close()
				})
			}
		}
	}
}

// P6: the same on a machine that runs at its own pace, with workers that are idle.
func TestP6NothingIsAcceptedAfterTheRootHasEndedAtOnce(t *testing.T) {
	for name, way := range entries {
		for range 50 {
			ctx, cancel := context.WithCancel(context.Background())
			var ended atomic.Bool
			p := pool.New(2, func(context.Context, int) (int, error) {
				if ended.Load() {
					t.Error("a task has started")
				}
				return 0, nil
			}, pool.WithContext(ctx), pool.WithMinWorkers(1))
			must(p.Do(context.Background(), 1))
			cancel()
			ended.Store(true)
			if err := way(context.Background(), p); !errors.Is(err, pool.ErrClosed) || !errors.Is(err, context.Canceled) {
				t.Fatalf("%s: %v", name, err)
			}
			p.Close()
		}
	}
}

// P6: a call that waits for room as the context of the pool ends is refused, though
// there is room before the pool has heard of it.
func TestP6BlockedSubmittersAreRefused(t *testing.T) {
	for shape, build := range shapes {
		for name, way := range entries {
			if name == "TryGo" || name == "TrySubmit" {
				continue
			}
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(context.Background())
				end := make(chan struct{})
				ran := 0
				p := build(1, func(context.Context, int) (int, error) {
					ran++
					<-end
					cancel(errRoot) // and there is room for another
					return 0, nil
				}, pool.WithQueue(0), pool.WithContext(ctx))
				must0(p.Go(context.Background(), 0))
				got := make(chan error, 1)
				go func() { got <- way(context.Background(), p) }()
				synctest.Wait()
				close(end)
				if err := <-got; !errors.Is(err, pool.ErrClosed) || !errors.Is(err, errRoot) {
					t.Errorf("%s, %s: %v", shape, name, err)
				}
				p.Close()
				if s := p.Stats(); ran != 1 || s.Submitted != 1 {
					t.Errorf("%s, %s: %d tasks have run: %+v", shape, name, ran, s)
				}
			})
		}
	}
}

// inBubble returns a test that runs in a bubble of its own.
func inBubble(test func(t *testing.T)) func(t *testing.T) {
	return func(t *testing.T) { synctest.Test(t, test) }
}

// P6: once the context of the pool has ended, or its own, no task starts that is queued,
// taken or about to be run in place, and all of them resolve with the reason.
func TestP6QueuedTasksDoNotStart(t *testing.T) {
	const n = 100
	for shape, build := range shapes {
		for _, own := range []bool{false, true} {
			for name, fill := range map[string]func(ctx context.Context, p *pool.Pool[int, int]) (errs func() []error){
				"Go": func(ctx context.Context, p *pool.Pool[int, int]) func() []error {
					for i := range n {
						must0(p.Go(ctx, i+1))
					}
					return func() []error { return nil }
				},
				"Submit": func(ctx context.Context, p *pool.Pool[int, int]) func() []error {
					var fs []*pool.Future[int]
					for i := range n {
						fs = append(fs, must(p.Submit(ctx, i+1)))
					}
					return func() (errs []error) {
						for _, f := range fs {
							_, err := f.Wait(context.Background())
							errs = append(errs, err)
						}
						return errs
					}
				},
				"Group": func(ctx context.Context, p *pool.Pool[int, int]) func() []error {
					g := p.Group(ctx, pool.CollectAll())
					for i := range n {
						accept(g.Go(i + 1))
					}
					return func() (errs []error) {
						for _, err := range g.Results(context.Background()) {
							errs = append(errs, err)
						}
						return errs
					}
				},
			} {
				for _, last := range []string{"returns", "fails", "panics", "exits"} {
					if shape == "no queue" {
						continue
					}
					t.Run(fmt.Sprint(shape, "/own ", own, "/", name, "/", last), inBubble(func(t *testing.T) {
						var told atomic.Int64
						ctx, cancel := context.WithCancelCause(context.Background())
						gate := make(chan struct{})
						started := 0
						all := []pool.Option{pool.WithErrorHandler(func(_ context.Context, err error) {
							if errors.Is(err, errRoot) && errors.Is(err, pool.ErrNotStarted) {
								told.Add(1)
							}
						})}
						under := ctx
						if !own {
							all, under = append(all, pool.WithContext(ctx)), context.Background()
						}
						p := build(1, func(_ context.Context, i int) (int, error) {
							if i != 0 {
								started++
								return 0, nil
							}
							gate <- struct{}{}
							<-gate
							cancel(errRoot)
							switch last {
							case "fails":
								return 0, errors.New("fails")
							case "panics":
								panic("panics")
							case "exits":
								runtime.Goexit()
							}
							return 0, nil
						}, all...)
						must0(p.Go(context.Background(), 0))
						<-gate
						errs := fill(under, p)
						close(gate)
						for i, err := range errs() {
							if !errors.Is(err, errRoot) || !errors.Is(err, pool.ErrNotStarted) {
								t.Errorf("task %d: %v", i, err)
							}
						}
						p.Close()
						if started != 0 {
							t.Errorf("%d tasks have started", started)
						}
						s := p.Stats()
						if checkSum(t, s); s.Cancelled != n {
							t.Errorf("%+v", s)
						}
						synctest.Wait() // Close does not wait for the handler of tasks that were dropped
						if name == "Go" && told.Load() != n {
							t.Errorf("the handler was told of %d tasks, want %d", told.Load(), n)
						}
					}))
				}
			}
		}
	}
}

// P6: a task that ends the pool's context and then waits for another does not make that
// one start, though it would run in place, nor does it wait for ever.
func TestP6NothingStartsInPlace(t *testing.T) {
	for name, way := range entries {
		for _, before := range []bool{false, true} { // whether it is queued when the context ends
			t.Run(fmt.Sprint(name, " ", before), func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(context.Background())
				var p *pool.Pool[int, int]
				var err error
				inner := 0
				p = pool.New(1, func(ctx context.Context, i int) (int, error) {
					if i != 0 {
						inner++
						return 0, nil
					}
					if !before {
						cancel(errRoot)
						err = way(ctx, p)
						return 0, nil
					}
					f := must(p.Submit(ctx, 1))
					g := p.Group(ctx)
					accept(g.Go(1))
					cancel(errRoot)
					_, err1 := f.Wait(context.WithoutCancel(ctx))
					_, err2 := g.Wait(context.WithoutCancel(ctx))
					if !errors.Is(err1, errRoot) || !errors.Is(err2, errRoot) {
						t.Errorf("%v, %v", err1, err2)
					}
					err = way(ctx, p)
					return 0, nil
				}, pool.WithContext(ctx))
				_, _ = p.Do(context.Background(), 0)
				p.Close()
				if !errors.Is(err, errRoot) || !errors.Is(err, pool.ErrClosed) || inner > 0 {
					t.Errorf("%v; %d inner tasks", err, inner)
				}
			})
		}
	}
}

// P6: the state of a worker is not opened for a task that will not run.
func TestP6NoStateIsOpened(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	opened := 0
	p := pool.NewStateful(1, func(context.Context) (int, error) { opened++; cancel(); return 0, errors.New("fails") },
		func(context.Context, int, int) (int, error) { return 0, nil },
		func(int) error { return nil }, pool.WithContext(ctx))
	for i := range 10 {
		_ = p.Go(context.Background(), i)
	}
	_ = p.Close()
	if opened != 1 {
		t.Errorf("opened %d times", opened)
	}
}
