package pool_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pool"
)

// C1: an idle pool owns no goroutine once the idle timeout is over, and none
// before its first task. The bubble fails if one is left.
func TestC1IdlePoolOwnsNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool.New(4, double, pool.WithIdleTimeout(time.Second))
		if s := p.Stats(); s.Workers != 0 {
			t.Errorf("%d workers before the first task", s.Workers)
		}
		for range 3 {
			g := p.Group(t.Context())
			for i := range 20 {
				accept(g.Go(i))
			}
			must(g.Wait(context.Background()))
			time.Sleep(time.Second - 1)
			synctest.Wait()
			if s := p.Stats(); s.Workers == 0 {
				t.Error("workers ended before the idle timeout")
			}
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			if s := p.Stats(); s.Workers != 0 {
				t.Errorf("%d workers after the idle timeout", s.Workers)
			}
		}
		// Not closed: nothing is left all the same.
	})
}

// C1: WithMinWorkers keeps that many, no more.
func TestC1MinWorkersStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool.New(4, func(context.Context, int) (int, error) { time.Sleep(time.Nanosecond); return 0, nil },
			pool.WithIdleTimeout(time.Second), pool.WithMinWorkers(2))
		for i := range 20 {
			must0(p.Go(t.Context(), i))
		}
		time.Sleep(time.Hour)
		if s := p.Stats(); s.Workers != 2 {
			t.Errorf("%d workers, want 2", s.Workers)
		}
		p.Close()
	})
}

// C1: an idle pool is asleep: nothing parks or wakes again and again.
func TestC1IdlePoolIsAsleep(t *testing.T) {
	p := pool.New(8, double)
	must(p.Do(t.Context(), 1))
	a := testkit.Trace(t, func() {
		// Real time, since the trace is; what is counted does not depend on it.
		<-time.After(50 * time.Millisecond)
	})
	p.Close()
	if a.Parks > 50 { // this test's own, and those of tests that are ending; eight pollers would be more
		t.Errorf("goroutines parked %d times while the pool was idle", a.Parks)
	}
}

// C1, FP10: breaking off a walk, at any index, cancels and joins.
func TestC1LeavingAWalkJoins(t *testing.T) {
	for _, opts := range [][]pool.MapOption{nil, {pool.Unordered()}} {
		for at := range 12 {
			synctest.Test(t, func(t *testing.T) {
				var running testkit.Gauge
				p := pool.New(3, func(ctx context.Context, n int) (int, error) {
					running.Enter()
					defer running.Leave()
					if n > at { // those after the last one that is read
						<-ctx.Done()
						time.Sleep(time.Second) // slow to leave
					}
					return n, nil
				})
				seen := 0
				for range p.Map(t.Context(), count(1000), opts...) {
					if seen++; seen > at {
						break
					}
				}
				if running.Now() != 0 {
					t.Errorf("%d tasks of the walk still run", running.Now())
				}
				if s := p.Stats(); s.Queued != 0 {
					t.Errorf("%d tasks of the walk still queued", s.Queued)
				}
				p.Close()
			})
		}
	}
}

// C2: every blocking call returns the cause of its context, and what was
// granted meanwhile is not lost.
func TestC2BlockingCallsReturnTheCause(t *testing.T) {
	cause := errors.New("enough")
	calls := map[string]func(context.Context, *pool.Pool[int, int], *pool.Future[int]) error{
		"Go": func(ctx context.Context, p *pool.Pool[int, int], _ *pool.Future[int]) error { return p.Go(ctx, 9) },
		"Submit": func(ctx context.Context, p *pool.Pool[int, int], _ *pool.Future[int]) error {
			_, err := p.Submit(ctx, 9)
			return err
		},
		"Do": func(ctx context.Context, p *pool.Pool[int, int], _ *pool.Future[int]) error {
			_, err := p.Do(ctx, 9)
			return err
		},
		"Wait": func(ctx context.Context, _ *pool.Pool[int, int], f *pool.Future[int]) error {
			_, err := f.Wait(ctx)
			return err
		},
		"Group.Go": func(ctx context.Context, p *pool.Pool[int, int], _ *pool.Future[int]) error {
			g := p.Group(ctx)
			if g.Go(9) {
				return nil
			}
			_, err := g.Wait(context.Background())
			return err
		},
		"Map": func(ctx context.Context, p *pool.Pool[int, int], _ *pool.Future[int]) (last error) {
			for _, err := range p.Map(ctx, count(3)) {
				last = err
			}
			return last
		},
		"Pool.Wait": func(ctx context.Context, p *pool.Pool[int, int], _ *pool.Future[int]) error { return p.Wait(ctx) },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				p := pool.New(1, func(context.Context, int) (int, error) { <-gate; return 0, nil }, pool.WithQueue(0))
				f := must(p.Submit(t.Context(), 0))
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { cancel(cause) })
				if err := call(ctx, p, f); err != cause {
					t.Errorf("got %v, want %v", err, cause)
				}
				s := p.Stats()
				checkSum(t, s)
				if s.Blocked != 0 || s.Submitted != 1 {
					t.Errorf("something was left behind: %+v", s)
				}
				close(gate)
				p.Close()
			})
		})
	}
}

// C2, FP18: room that is granted to a caller whose context ends at the same moment is
// used or handed on, never lost.
func TestC2GrantMeetsCancel(t *testing.T) {
	rounds := 2000
	if testing.Short() {
		rounds = 200
	}
	for range rounds {
		synctest.Test(t, func(t *testing.T) {
			gate := make(chan struct{})
			p := pool.New(1, func(context.Context, int) (int, error) { <-gate; return 0, nil }, pool.WithQueue(0))
			must0(p.Go(t.Context(), 0))
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			var first, second error
			wg.Go(func() { first = p.Go(ctx, 1) })
			wg.Go(func() { second = p.Go(t.Context(), 2) })
			synctest.Wait() // both wait for room
			wg.Go(cancel)
			close(gate)
			wg.Wait()
			p.Close()
			s := p.Stats()
			want := uint64(2)
			if first == nil {
				want++
			}
			if second != nil || s.Submitted != want || s.Completed+s.Cancelled != want {
				t.Fatalf("first %v, second %v, stats %+v", first, second, s)
			}
		})
	}
}

// C2: the same when room comes and the context ends before the caller can see
// either: it is accepted, or it is not, and the pool and the caller agree.
func TestC2GrantAndCancelTogether(t *testing.T) {
	for range 300 {
		synctest.Test(t, func(t *testing.T) {
			gate := make(chan struct{})
			p := pool.New(1, func(context.Context, int) (int, error) { <-gate; return 0, nil }, pool.WithQueue(0))
			must0(p.Go(t.Context(), 0))
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			var err error
			wg.Go(func() { err = p.Go(ctx, 1) })
			synctest.Wait()
			cancel()
			p.Resize(2) // before the caller runs, as a rule
			wg.Wait()
			if s := p.Stats(); (err == nil) != (s.Submitted == 2) {
				t.Errorf("Go returned %v, but %d tasks are accepted", err, s.Submitted)
			}
			close(gate)
			p.Close()
			checkSum(t, p.Stats())
		})
	}
}

// C3: every method may be called from inside a task and from the error
// handler.
func TestC3MethodsInsideCallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p *pool.Pool[int, int]
		all := func(ctx context.Context) {
			must(p.Do(ctx, 0))
			must0(p.Go(ctx, 0))
			must0(p.TryGo(ctx, 0))
			must(must(p.Submit(ctx, 0)).Wait(ctx))
			must(must(p.TrySubmit(ctx, 0)).Wait(ctx))
			g := p.Group(ctx, pool.CollectAll())
			accept(g.Go(0))
			must(g.Wait(ctx))
			for _, err := range p.Map(ctx, count(5)) {
				must0(err)
			}
			p.Resize(2)
			checkSum(t, p.Stats())
		}
		handled := 0
		p = pool.New(1, func(ctx context.Context, n int) (int, error) {
			if n == 99 {
				all(ctx)
				return 0, errTask
			}
			return 0, nil
		}, pool.WithErrorHandler(func(ctx context.Context, err error) {
			if err != errTask {
				t.Errorf("handler got %v", err)
			}
			all(ctx)
			handled++
		}))
		must0(p.Go(t.Context(), 99))
		synctest.Wait()
		p.Close()
		if handled != 1 {
			t.Errorf("handler ran %d times to its end, want 1", handled)
		}
	})
}

// C4, FC3: panics and Goexit become errors wherever a result can carry one, and cost
// no worker.
func TestC4PanicsAndGoexit(t *testing.T) {
	var nilMap map[int]int
	endings := []struct {
		name string
		fn   func()
		is   error
		text string
	}{
		{"error", func() { panic(errTask) }, errTask, "task failed"},
		{"string", func() { panic("boom") }, nil, "boom"},
		{"nil", func() { panic(nil) }, nil, "nil"},
		{"run-time error", func() { nilMap[0] = 1 }, nil, "nil map"},
		{"Goexit", runtime.Goexit, pool.ErrGoexit, "Goexit"},
	}
	for _, e := range endings {
		t.Run(e.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := pool.New(2, func(_ context.Context, n int) (int, error) {
					if n < 0 {
						e.fn()
					}
					return n, nil
				})
				check := func(how string, err error) {
					t.Helper()
					if err == nil || e.is != nil && !errors.Is(err, e.is) || !strings.Contains(err.Error(), e.text) {
						t.Errorf("%s: got %v", how, err)
					}
					if pe, ok := errors.AsType[*pool.PanicError](err); ok != (e.name != "Goexit") || ok && len(pe.Stack) == 0 {
						t.Errorf("%s: got %T, PanicError %v", how, err, ok)
					}
				}
				for range 5 { // more often than there are workers
					_, err := p.Do(t.Context(), -1)
					check("Do", err)
				}
				g := p.Group(t.Context(), pool.CollectAll())
				for _, n := range []int{1, -1, 2} {
					accept(g.Go(n))
				}
				vs, err := g.Wait(context.Background())
				check("Group", err)
				if diff := cmp.Diff([]int{1, 0, 2}, vs); diff != "" {
					t.Errorf("group results (-want +got):\n%s", diff)
				}
				p.Close()
				checkSum(t, p.Stats())
			})
		})
	}
}

// C4: so do those of a source, as the last pair of a walk.
func TestC4SourceOfAWalk(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("source") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := pool.New(2, double)
				var got []int
				var last error
				for v, err := range p.Map(t.Context(), func(yield func(int) bool) {
					for i := range 5 {
						yield(i)
					}
					end()
				}) {
					if last = err; err == nil {
						got = append(got, v)
					}
				}
				_, panicked := errors.AsType[*pool.PanicError](last)
				if panicked != (name == "panic") || !panicked && !errors.Is(last, pool.ErrGoexit) {
					t.Errorf("last error %v", last)
				}
				if !slices.Equal(got, []int{0, 2, 4, 6, 8}) {
					t.Errorf("values before it: %v", got)
				}
				p.Close()
			})
		})
	}
}

// C5, FC2: misuse panics at the call that is wrong and says what is allowed.
func TestC5MisusePanics(t *testing.T) {
	p := pool.New(1, double)
	defer p.Close()
	f := must(p.Submit(t.Context(), 1))
	var none context.Context
	tests := map[string]func(){
		"pool: New: workers must be at least 1, got 0":                   func() { pool.New(0, double) },
		"pool: New: workers must be at least 1, got -3":                  func() { pool.New(-3, double) },
		"pool: New: function must not be nil":                            func() { pool.New[int, int](1, nil) },
		"pool: New: WithMinWorkers must be at most the 2 workers, got 3": func() { pool.New(2, double, pool.WithMinWorkers(3)) },
		"pool: WithQueue: size must not be negative, got -1":             func() { pool.WithQueue(-1) },
		"pool: WithMinWorkers: workers must not be negative, got -1":     func() { pool.WithMinWorkers(-1) },
		"pool: WithIdleTimeout: duration must not be negative, got -1ns": func() { pool.WithIdleTimeout(-1) },
		"pool: WithErrorHandler: function must not be nil":               func() { pool.WithErrorHandler(nil) },
		"pool: WithContext: context must not be nil":                     func() { pool.WithContext(none) },
		"pool: Resize: workers must not be negative, got -1":             func() { p.Resize(-1) },
		"pool: Go: context must not be nil":                              func() { _ = p.Go(none, 1) },
		"pool: TryGo: context must not be nil":                           func() { _ = p.TryGo(none, 1) },
		"pool: Submit: context must not be nil":                          func() { _, _ = p.Submit(none, 1) },
		"pool: TrySubmit: context must not be nil":                       func() { _, _ = p.TrySubmit(none, 1) },
		"pool: Do: context must not be nil":                              func() { _, _ = p.Do(none, 1) },
		"pool: Map: context must not be nil":                             func() { p.Map(none, count(1)) },
		"pool: Map: sequence of tasks must not be nil":                   func() { p.Map(t.Context(), nil) },
		"pool: Group: context must not be nil":                           func() { p.Group(none) },
		"pool: Shutdown: context must not be nil":                        func() { _ = p.Shutdown(none) },
		"pool: Stop: context must not be nil":                            func() { _, _ = p.Stop(none) },
		"pool: Wait: context must not be nil":                            func() { _ = p.Wait(none) },
		"pool: Group.Wait: context must not be nil":                      func() { _, _ = p.Group(t.Context()).Wait(none) },
		"pool: Group.Results: context must not be nil":                   func() { p.Group(t.Context()).Results(none) },
		"pool: WithLimit: n must be at least 1, got 0":                   func() { pool.WithLimit(0) },
		"pool: Future.Wait: context must not be nil":                     func() { _, _ = f.Wait(none) },
	}
	testkit.Panics(t, tests)
}

// C5: the zero value of a type that needs a constructor says so.
func TestC5ZeroValuesPanic(t *testing.T) {
	ctx := t.Context()
	var p pool.Pool[int, int]
	var f pool.Future[int]
	var g pool.Group[int, int]
	calls := map[string]func(){
		"Go": func() { _ = p.Go(ctx, 1) }, "TryGo": func() { _ = p.TryGo(ctx, 1) },
		"Submit": func() { _, _ = p.Submit(ctx, 1) }, "TrySubmit": func() { _, _ = p.TrySubmit(ctx, 1) },
		"Do": func() { _, _ = p.Do(ctx, 1) }, "Map": func() { p.Map(ctx, count(1)) }, "Group": func() { p.Group(ctx) },
		"Wait": func() { _ = p.Wait(ctx) }, "Close": func() { _ = p.Close() }, "Shutdown": func() { _ = p.Shutdown(ctx) },
		"Stop": func() { _, _ = p.Stop(ctx) }, "Resize": func() { p.Resize(1) }, "Stats": func() { p.Stats() },
		"Future.Wait": func() { _, _ = f.Wait(ctx) }, "Future.Done": func() { f.Done() }, "Future.Cancel": func() { f.Cancel(nil) },
		"Group.Go": func() { g.Go(1) }, "Group.Wait": func() { _, _ = g.Wait(ctx) },
		"Group.Results": func() { g.Results(ctx) }, "Group.Close": func() { _ = g.Close() },
	}
	tests := map[string]func(){}
	for call, fn := range calls {
		typ, with := "Pool", "New"
		switch {
		case strings.HasPrefix(call, "Future."):
			typ, with = "Future", "Pool.Submit"
		case strings.HasPrefix(call, "Group."):
			typ, with = "Group", "Pool.Group"
		}
		tests["pool: "+call+": the zero "+typ+" is not usable, make one with "+with] = fn
	}
	tests["tandem: PanicError.Format: error and state must not be nil"] = func() { (&pool.PanicError{}).Format(nil, 'v') }
	testkit.Panics(t, tests)
}

// C5: run-time conditions are sentinels.
func TestC5ClosedIsASentinel(t *testing.T) {
	p := pool.New(1, double)
	g := p.Group(t.Context())
	p.Close()
	_, err := p.Submit(t.Context(), 1)
	_, tryErr := p.TrySubmit(t.Context(), 1)
	_, doErr := p.Do(t.Context(), 1)
	var mapErr error
	for _, mapErr = range p.Map(t.Context(), count(3)) {
	}
	if g.Go(1) {
		t.Error("a group of a closed pool has accepted a task")
	}
	_, waitErr := g.Wait(context.Background())
	for i, err := range []error{p.Go(t.Context(), 1), p.TryGo(t.Context(), 1), err, tryErr, doErr, mapErr, waitErr} {
		if !errors.Is(err, pool.ErrClosed) {
			t.Errorf("call %d: got %v, want ErrClosed", i, err)
		}
	}
}

// C6, FC6: closing is idempotent, from 64 goroutines, in any mixture.
func TestC6CloseFromEverywhere(t *testing.T) {
	testkit.Watchdog(t, func() {
		p := pool.New(4, double, pool.WithQueue(2))
		var wg sync.WaitGroup
		accepted := make([]bool, 64)
		for i := range 64 {
			wg.Go(func() { accepted[i] = p.Go(t.Context(), i) == nil })
			wg.Go(func() {
				switch i % 3 {
				case 0:
					p.Close()
				case 1:
					must0(p.Shutdown(t.Context()))
				case 2:
					must(p.Stop(t.Context()))
				}
				if s := p.Stats(); s.Workers+s.Running+s.Queued != 0 {
					t.Errorf("closed, but %+v", s)
				}
			})
		}
		wg.Wait()
		var want uint64
		for _, ok := range accepted {
			if ok {
				want++
			}
		}
		if s := p.Stats(); s.Submitted != want || s.Completed+s.Cancelled != want {
			t.Errorf("%d accepted, stats %+v", want, s)
		}
	})
}

// C6: inside a task, under its context or one that is derived from it, Wait, Shutdown and
// Stop return ErrInside at once; the latter two take effect.
func TestC6ErrInside(t *testing.T) {
	type key struct{}
	enders := map[string]func(context.Context, *pool.Pool[int, int]) error{
		"Wait":     func(ctx context.Context, p *pool.Pool[int, int]) error { return p.Wait(ctx) },
		"Shutdown": func(ctx context.Context, p *pool.Pool[int, int]) error { return p.Shutdown(ctx) },
		"Stop": func(ctx context.Context, p *pool.Pool[int, int]) error {
			left, err := p.Stop(ctx)
			if len(left) > 1 {
				t.Errorf("Stop returned %v", left)
			}
			return err
		},
	}
	contexts := map[string]func(context.Context) (context.Context, func()){
		"its own": func(ctx context.Context) (context.Context, func()) { return ctx, func() {} },
		"a value": func(ctx context.Context) (context.Context, func()) {
			return context.WithValue(ctx, key{}, 1), func() {}
		},
		"an end": func(ctx context.Context) (context.Context, func()) { return context.WithTimeout(ctx, time.Hour) },
		"no end": func(ctx context.Context) (context.Context, func()) { return context.WithoutCancel(ctx), func() {} },
	}
	for name, end := range enders {
		for under, derive := range contexts {
			for _, how := range []string{"in the task", "on a goroutine", "in place", "in the handler"} {
				t.Run(fmt.Sprint(name, "/", under, "/", how), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						inside := 0
						call := func(ctx context.Context, p *pool.Pool[int, int]) {
							ctx, cancel := derive(ctx)
							defer cancel()
							start := time.Now()
							if err := end(ctx, p); err != pool.ErrInside || time.Since(start) != 0 {
								t.Errorf("%v after %v, want ErrInside at once", err, time.Since(start))
							}
							if err := p.Go(context.WithoutCancel(ctx), 9); (name == "Wait") != (err == nil) || err != nil && !errors.Is(err, pool.ErrClosed) {
								t.Errorf("Go afterwards: %v", err)
							}
							inside++
						}
						var p *pool.Pool[int, int]
						p = pool.New(1, func(ctx context.Context, n int) (int, error) {
							switch {
							case n == 0 && how == "in the task":
								call(ctx, p)
							case n == 0 && how == "on a goroutine":
								var wg sync.WaitGroup
								wg.Go(func() { call(ctx, p) })
								wg.Wait()
							case n == 0 && how == "in place":
								must(p.Do(ctx, 1))
							case n == 0:
								return 0, errTask
							case n == 1:
								call(ctx, p)
							}
							return n, nil
						}, pool.WithErrorHandler(func(ctx context.Context, err error) {
							if err == errTask {
								call(ctx, p)
							}
						}))
						must0(p.Go(t.Context(), 0))
						must0(p.Wait(t.Context()))
						must0(p.Close())
						if s := p.Stats(); inside != 1 || s.Workers != 0 {
							t.Errorf("called %d times; %+v", inside, s)
						}
						checkSum(t, p.Stats())
					})
				})
			}
		}
	}
}

// C6: a task that has returned is not inside any more: who uses its context then waits.
func TestC6NotInsideOnceTheTaskHasReturned(t *testing.T) {
	for _, submit := range []string{"Go", "Submit", "Group"} {
		synctest.Test(t, func(t *testing.T) {
			var p *pool.Pool[int, int]
			over, waited := make(chan struct{}), make(chan error, 1)
			gate := make(chan struct{})
			p = pool.New(1, func(ctx context.Context, n int) (int, error) {
				if n == 0 {
					go func() {
						<-over
						waited <- p.Wait(ctx)
					}()
				} else {
					<-gate
				}
				return n, nil
			})
			switch submit {
			case "Go":
				must0(p.Go(t.Context(), 0))
			case "Submit":
				must(must(p.Submit(t.Context(), 0)).Wait(t.Context()))
			case "Group":
				g := p.Group(t.Context())
				accept(g.Go(0))
				must(g.Wait(t.Context()))
			}
			must0(p.Wait(t.Context()))
			other := context.WithValue(t.Context(), keyed{}, 1) // another context on the worker
			must0(p.Go(other, 1))
			synctest.Wait()
			close(over)
			synctest.Wait()
			if len(waited) != 0 {
				t.Errorf("%s: Wait returned %v while a task runs", submit, <-waited)
				waited <- nil
			}
			close(gate)
			must0(<-waited)
			must0(p.Close())
		})
	}
}

// C6: closing another pool inside a task does wait for it.
func TestC6CloseOfAnotherPoolInsideATask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := pool.New(1, func(context.Context, int) (int, error) { time.Sleep(time.Second); return 0, nil })
		must0(inner.Go(t.Context(), 1))
		outer := pool.New(1, func(context.Context, int) (int, error) { return 0, inner.Close() })
		must(outer.Do(t.Context(), 1))
		if s := inner.Stats(); s.Completed != 1 {
			t.Errorf("Close returned before the other pool was done: %+v", s)
		}
		outer.Close()
	})
}

// C7: everything that waits is durably blocked, so that time in a bubble moves:
// idle workers, blocked submitters, waiters, joiners.
func TestC7TimeMovesWhileEverybodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool.New(2, func(context.Context, int) (int, error) { time.Sleep(24 * time.Hour); return 1, nil },
			pool.WithQueue(0), pool.WithMinWorkers(2))
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() { must(p.Do(t.Context(), i)) })
		}
		wg.Wait()
		wg.Go(func() { p.Close() })
		wg.Wait()
		if d := time.Since(start); d != 5*24*time.Hour {
			t.Errorf("took %v, want 120h", d)
		}
	})
}

// C8: finished, cancelled and dropped tasks are garbage, though their futures,
// their group and the pool live on.
func TestC8TasksAreGarbage(t *testing.T) {
	gate := make(chan struct{})
	p := pool.New(1, func(_ context.Context, b *blob) (*blob, error) {
		if b == nil {
			<-gate
		}
		return nil, nil
	})
	var refs []weak.Pointer[blob]
	fresh := func() *blob {
		b := new(blob)
		refs = append(refs, weak.Make(b))
		return b
	}
	ctx, cancel := context.WithCancel(t.Context())
	g := p.Group(ctx)
	ran := must(p.Submit(t.Context(), fresh()))
	must(ran.Wait(t.Context()))
	accept(g.Go(fresh()))
	must0(p.Go(t.Context(), nil)) // holds the worker once those before it are done
	cancelled := must(p.Submit(t.Context(), fresh()))
	accept(g.Go(fresh()))
	cancelled.Cancel(nil)
	cancel()
	_, _ = g.Wait(context.Background())
	close(gate)
	must0(p.Go(t.Context(), fresh()))
	p.Close()
	runtime.GC()
	runtime.GC()
	for i, r := range refs {
		if r.Value() != nil {
			t.Errorf("task %d is still reachable", i)
		}
	}
	runtime.KeepAlive([]any{p, g, ran, cancelled})
}

// C9: this compiles: results come typed, with no assertion by the user.
func TestC9ResultsAreTyped(t *testing.T) {
	p := pool.New(1, fetch)
	defer p.Close()
	var page Page = must(p.Do(t.Context(), "https://example.com/a"))
	if page.Title == "" {
		t.Error("no page")
	}
	if _, err := p.Do(t.Context(), "https://example.com/gone"); err == nil || fmt.Sprint(err) == "" {
		t.Error("no error")
	}
}
