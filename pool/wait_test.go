package pool_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pool"
)

// P1: Wait returns when all tasks that were accepted before have ended, whatever their way and
// their end, and those that they submit meanwhile; the pool stays open.
func TestP1WaitForAllThatWasAccepted(t *testing.T) {
	for shape, build := range shapes {
		t.Run(shape, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var running testkit.Gauge
				var p *pool.Pool[int, int]
				p = build(2, func(ctx context.Context, n int) (int, error) {
					running.Enter()
					defer running.Leave()
					time.Sleep(time.Second)
					switch {
					case n >= 100:
						must0(p.Go(ctx, n/10))
					case n == 3:
						panic(n)
					case n == 4:
						return 0, errTask
					}
					return n, nil
				}, ignoreErrors())
				must0(p.Wait(t.Context())) // nothing has been accepted
				for round := range 3 {
					var wg sync.WaitGroup
					g := p.Group(t.Context(), pool.CollectAll())
					for i := range 5 {
						wg.Go(func() { must0(p.Go(t.Context(), i)) })
						wg.Go(func() { must(p.Submit(t.Context(), 100*i)) })
						wg.Go(func() { accept(g.Go(i)) })
					}
					wg.Wait()
					must(p.Submit(t.Context(), 1)).Cancel(nil)
					must0(p.Wait(t.Context()))
					s := p.Stats()
					if checkSum(t, s); running.Now() != 0 || s.Queued+s.Running+s.Waiting+s.Blocked != 0 {
						t.Errorf("round %d: Wait has returned with %d running: %v", round, running.Now(), s)
					}
					if s.Submitted != uint64(20*(round+1)) {
						t.Errorf("round %d: %v", round, s)
					}
				}
				must0(p.Close())
				must0(p.Wait(t.Context())) // a closed pool has none
			})
		})
	}
}

// P1: a task that runs in place is waited for, and so is one that waits for it.
func TestP1WaitForTasksInPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p *pool.Pool[int, int]
		p = pool.New(1, func(ctx context.Context, n int) (int, error) {
			time.Sleep(time.Second)
			if n == 0 {
				return p.Do(ctx, 1)
			}
			return n, nil
		})
		start := time.Now()
		must0(p.Go(t.Context(), 0))
		must0(p.Wait(t.Context()))
		if d := time.Since(start); d != 2*time.Second {
			t.Errorf("Wait returned after %v, want 2s", d)
		}
		must0(p.Close())
	})
}

// C2: Wait, Group.Wait and Results return the cause when their context ends, and nothing else
// is affected: they may be called again.
func TestC2WaitsMayBeCalledAgain(t *testing.T) {
	cause := errors.New("enough")
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		p := pool.New(1, func(ctx context.Context, n int) (int, error) { <-gate; return n, ctx.Err() })
		g := p.Group(t.Context())
		for n := range 3 {
			accept(g.Go(n))
		}
		soon := func() context.Context {
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, cause)
			t.Cleanup(cancel)
			return ctx
		}
		for _, ctx := range []context.Context{over(cause), soon(), soon()} {
			if err := p.Wait(ctx); err != cause {
				t.Errorf("Wait: %v", err)
			}
			if vs, err := g.Wait(ctx); err != cause || vs != nil {
				t.Errorf("Group.Wait: %v, %v", vs, err)
			}
			pairs := 0
			for r, err := range g.Results(ctx) {
				if pairs++; err != cause || r != (pool.Result[int, int]{}) {
					t.Errorf("Results: %+v, %v", r, err)
				}
			}
			if pairs != 1 {
				t.Errorf("%d pairs", pairs)
			}
		}
		gate <- struct{}{}
		next, stopWalk := context.WithCancelCause(t.Context())
		defer stopWalk(nil)
		var got []int
		for r, err := range g.Results(next) {
			if err == cause {
				break
			}
			must0(err)
			got = append(got, r.Value)
			stopWalk(cause) // the next result is not there
		}
		accept(g.Go(3)) // it is still open
		close(gate)
		for r, err := range g.Results(t.Context()) {
			must0(err)
			got = append(got, r.Value)
		}
		if !slices.Equal(got, []int{0, 1, 2, 3}) {
			t.Errorf("Results yielded %v: each once", got)
		}
		if vs, err := g.Wait(t.Context()); !slices.Equal(vs, []int{0, 1, 2, 3}) || err != nil {
			t.Errorf("Group.Wait: %v, %v", vs, err)
		}
		must0(p.Wait(t.Context()))
		must0(p.Close())
	})
}

// C2: a result that is there is preferred to a context that has ended.
func TestC2WaitsPreferWhatIsThere(t *testing.T) {
	p := pool.New(1, double)
	g := p.Group(t.Context())
	accept(g.Go(1))
	must0(p.Wait(t.Context()))
	ended := over(errTask)
	must0(p.Wait(ended))
	n := 0
	for r, err := range g.Results(ended) {
		if n++; r.Value != 2 || err != nil {
			t.Errorf("Results: %+v, %v", r, err)
		}
	}
	if vs, err := g.Wait(ended); !slices.Equal(vs, []int{2}) || err != nil || n != 1 {
		t.Errorf("Group.Wait: %v, %v; %d results", vs, err, n)
	}
	if left, err := p.Stop(ended); err != nil || len(left) != 0 {
		t.Errorf("Stop: %v, %v", left, err)
	}
	must0(p.Close())
}

// P1: Stop starts nothing more, returns what never started, in the order of submission, and
// lets those that run come to their end.
func TestP1StopLetsRunningTasksEnd(t *testing.T) {
	for shape, build := range shapes {
		for _, way := range []string{"Go", "Submit", "Group"} {
			if shape == "no queue" {
				continue
			}
			t.Run(shape+" "+way, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var ran []int
					p := build(1, func(ctx context.Context, n int) (int, error) {
						time.Sleep(time.Minute)
						ran = append(ran, n)
						return n, ctx.Err()
					})
					must0(p.Go(t.Context(), 0))
					synctest.Wait()
					g := p.Group(t.Context(), pool.CollectAll())
					var fs []*pool.Future[int]
					var want []int
					for n := range 100 {
						want = append(want, n+1)
						switch way {
						case "Go":
							must0(p.Go(t.Context(), n+1))
						case "Submit":
							fs = append(fs, must(p.Submit(t.Context(), n+1)))
						case "Group":
							accept(g.Go(n + 1))
						}
					}
					ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
					defer cancel()
					start := time.Now()
					left, err := p.Stop(ctx)
					if !slices.Equal(left, want) || err != nil {
						t.Errorf("got %v, %v", left, err)
					}
					if d := time.Since(start); d != time.Minute || !slices.Equal(ran, []int{0}) {
						t.Errorf("after %v, %v ran", d, ran)
					}
					for _, f := range fs {
						if _, err := f.Wait(t.Context()); !errors.Is(err, pool.ErrNotStarted) || !errors.Is(err, pool.ErrClosed) {
							t.Error(err)
						}
					}
					if vs, err := g.Wait(t.Context()); way == "Group" && (len(vs) != 100 || !errors.Is(err, pool.ErrClosed) || !errors.Is(err, pool.ErrNotStarted)) {
						t.Errorf("%d results, %v", len(vs), err)
					}
					if left, err := p.Stop(ctx); len(left) != 0 || err != nil {
						t.Errorf("again: %v, %v", left, err)
					}
					s := p.Stats()
					if checkSum(t, s); s.Workers != 0 || s.Cancelled != 100 {
						t.Errorf("%v", s)
					}
				})
			})
		}
	}
}

// C2, C1: at the end of its context Stop returns at once, and the contexts of running tasks end
// with the cause; Close waits for them.
func TestC2StopEndsContextsAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("time is up")
		gate := make(chan struct{})
		p := pool.New(2, func(ctx context.Context, n int) (int, error) {
			<-ctx.Done()
			<-gate
			return 0, context.Cause(ctx)
		})
		f := must(p.Submit(t.Context(), 0))
		must(p.Submit(t.Context(), 1))
		synctest.Wait()
		must0(p.Go(t.Context(), 2))
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, cause)
		defer cancel()
		start := time.Now()
		left, err := p.Stop(ctx)
		if d := time.Since(start); d != time.Minute || !slices.Equal(left, []int{2}) || !errors.Is(err, cause) {
			t.Errorf("after %v: %v, %v", d, left, err)
		}
		if want := "pool: Stop: 2 tasks still running, 0 cancelled in the queue: time is up"; err == nil || err.Error() != want {
			t.Errorf("error %q, want %q", err, want)
		}
		close(gate)
		if _, err := f.Wait(t.Context()); err != cause {
			t.Errorf("the task's context: %v", err)
		}
		must0(p.Close())
	})
}

// P3: paused, a pool accepts tasks and starts none, those that run go on, and it resumes.
func TestP3PausedPoolStartsNothing(t *testing.T) {
	for shape, build := range shapes {
		t.Run(shape, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var started testkit.Gauge
				gate := make(chan struct{})
				p := build(3, func(context.Context, int) (int, error) { started.Enter(); <-gate; return 0, nil }, pool.WithMinWorkers(2))
				for n := range 3 {
					must0(p.Go(t.Context(), n))
				}
				synctest.Wait()
				before := started.Now() // with keys two, otherwise three
				for range 2 {           // idempotent
					p.Resize(0)
				}
				accepted := 3
				for n := range 20 {
					if p.TryGo(t.Context(), n) == nil {
						accepted++
					}
				}
				if shape != "no queue" && accepted != 23 {
					t.Errorf("%d accepted", accepted)
				}
				close(gate)
				time.Sleep(time.Hour)
				if s := p.Stats(); started.Now() != before || s.Limit != 0 || s.Running != 0 || s.Workers != 0 || s.Queued != accepted-before {
					t.Errorf("paused: %d started, %v", started.Now(), s)
				}
				soon, cancel := context.WithTimeoutCause(t.Context(), time.Second, errTask)
				defer cancel()
				if err := p.Wait(soon); (err == errTask) != (accepted > 3) {
					t.Errorf("Wait while paused: %v", err)
				}
				if shape != "no queue" {
					must(p.Submit(t.Context(), 1)).Cancel(nil) // may leave the queue
				}
				p.Resize(2)
				must0(p.Wait(t.Context()))
				if started.Now() != accepted {
					t.Errorf("%d of %d ran", started.Now(), accepted)
				}
				must0(p.Close())
				checkSum(t, p.Stats())
			})
		})
	}
}

// P4: Close and Shutdown end a pause and run all that was accepted; Stop returns it. After that
// a pool cannot be paused.
func TestP4ClosingEndsAPause(t *testing.T) {
	for shape, build := range shapes {
		for name, end := range enders {
			for _, before := range []bool{false, true} { // whether workers have been started before
				if shape == "no queue" {
					continue
				}
				t.Run(fmt.Sprint(shape, "/", name, "/", before), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						p := build(2, double, pool.WithMinWorkers(2))
						if before {
							must(p.Do(t.Context(), 1))
						}
						p.Resize(0)
						f := must(p.Submit(t.Context(), 21))
						must0(p.Go(t.Context(), 1))
						must0(end(p))
						p.Resize(0)
						v, err := f.Wait(t.Context())
						if name == "Stop" && !errors.Is(err, pool.ErrNotStarted) || name != "Stop" && (v != 42 || err != nil) {
							t.Errorf("got %d, %v", v, err)
						}
						s := p.Stats()
						if checkSum(t, s); s.Workers+s.Queued != 0 {
							t.Errorf("%v", s)
						}
					})
				})
			}
		}
	}
}

// P4: a pause after Close does not hold up what is queued.
func TestP4ClosedPoolCannotBePaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		p := pool.New(1, func(context.Context, int) (int, error) { <-gate; return 0, nil })
		for n := range 3 {
			must0(p.Go(t.Context(), n))
		}
		var wg sync.WaitGroup
		wg.Go(func() { must0(p.Close()) })
		synctest.Wait()
		p.Resize(0)
		close(gate)
		wg.Wait()
		if s := p.Stats(); s.Completed != 3 {
			t.Errorf("%v", s)
		}
	})
}

// P5: in a paused pool, the tasks that a running task waits for run in place, in every way to
// wait.
func TestP5AwaitedTasksRunWhilePaused(t *testing.T) {
	for way, wait := range nestedWaits {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var p *pool.Pool[int, int]
				paused := make(chan struct{})
				p = pool.New(2, func(ctx context.Context, n int) (int, error) {
					if n == 0 {
						return 1, nil
					}
					<-paused
					v, err := wait(ctx, p, n-1)
					return v + 1, err
				})
				f := must(p.Submit(t.Context(), 5))
				synctest.Wait()
				p.Resize(0)
				other := must(p.Submit(t.Context(), 0))
				close(paused)
				if v, err := f.Wait(t.Context()); v != 6 || err != nil {
					t.Errorf("got %d, %v", v, err)
				}
				synctest.Wait()
				select {
				case <-other.Done():
					t.Error("a task has run that no one in the pool waits for")
				default:
				}
				must0(p.Close())
				must(other.Wait(t.Context()))
			})
		})
	}
}
