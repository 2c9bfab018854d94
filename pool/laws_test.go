package pool_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pool"
)

func double(_ context.Context, n int) (int, error) { return 2 * n, nil }

// P1: every accepted task runs exactly once, and the counts say so at any
// instant, with submitters, readers of Stats and all kinds of endings at once.
func TestP1EveryTaskExactlyOnce(t *testing.T) {
	const submitters, each = 8, 500
	ledger := testkit.NewLedger(submitters * each)
	p := pool.New(4, func(_ context.Context, id int) (int, error) {
		ledger.Note(id)
		switch id % 10 {
		case 1:
			return 0, errTask
		case 2:
			panic("boom")
		case 3:
			runtime.Goexit()
		}
		return id, nil
	}, pool.WithQueue(16), ignoreErrors())

	stop := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				checkSum(t, p.Stats())
				runtime.Gosched()
			}
		}
	})
	testkit.Watchdog(t, func() {
		var wg sync.WaitGroup
		for s := range submitters {
			wg.Go(func() {
				for i := range each {
					id := s*each + i
					if i%2 == 0 {
						if err := p.Go(t.Context(), id); err != nil {
							t.Errorf("Go: %v", err)
						}
						continue
					}
					if v, err := p.Do(t.Context(), id); err == nil && v != id {
						t.Errorf("task %d gave %d", id, v)
					}
				}
			})
		}
		wg.Wait()
		p.Close()
	})
	close(stop)
	watcher.Wait()
	ledger.ExactlyOnce(t)
	want := pool.Stats{Limit: 4, Room: 16, Submitted: submitters * each, Completed: submitters * each * 7 / 10, Failed: submitters * each * 3 / 10}
	if diff := cmp.Diff(want, p.Stats(), cmpopts.IgnoreFields(pool.Stats{}, "QueueWait", "RunTime")); diff != "" {
		t.Errorf("stats after Close (-want +got):\n%s", diff)
	}
}

// P1: an accepted task that does not run resolves with the reason.
func TestP1QueuedTaskResolvesWithTheCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		p := pool.New(1, func(ctx context.Context, n int) (int, error) { <-gate; return n, nil })
		must0(p.Go(t.Context(), 0))
		synctest.Wait()

		cause := errors.New("no longer wanted")
		ctx, cancel := context.WithCancelCause(t.Context())
		byContext := must(p.Submit(ctx, 1))
		byFuture := must(p.Submit(t.Context(), 2))
		byStop := must(p.Submit(t.Context(), 3))
		cancel(cause)
		byFuture.Cancel(cause)
		for _, f := range []*pool.Future[int]{byContext, byFuture} {
			// The worker is still busy: they resolve before their turn.
			if _, err := f.Wait(context.Background()); !errors.Is(err, cause) || !errors.Is(err, pool.ErrNotStarted) {
				t.Errorf("got %v, want %v", err, cause)
			}
		}
		time.AfterFunc(time.Second, func() { close(gate) })
		if left := stop(p); !slices.Equal(left, []int{3}) {
			t.Errorf("Stop handed back %v, want [3]", left)
		}
		if _, err := byStop.Wait(t.Context()); !errors.Is(err, pool.ErrClosed) || !errors.Is(err, pool.ErrNotStarted) {
			t.Errorf("after Stop: %v, want ErrClosed", err)
		}
		s := p.Stats()
		checkSum(t, s)
		if s.Cancelled != 3 {
			t.Errorf("cancelled %d, want 3", s.Cancelled)
		}
	})
}

// P2, FP1: submit 100, close, then read the results; for any queue size.
func TestP2ResultsMayBeReadLate(t *testing.T) {
	for _, queue := range []int{0, 1, 3, 100, 1000} {
		t.Run(fmt.Sprint(queue), func(t *testing.T) {
			testkit.Watchdog(t, func() {
				p := pool.New(3, double, pool.WithQueue(queue))
				g := p.Group(t.Context())
				var futures []*pool.Future[int]
				for i := range 100 {
					accept(g.Go(i))
					futures = append(futures, must(p.Submit(t.Context(), i)))
				}
				p.Close()
				results, err := g.Wait(context.Background())
				for i, f := range futures {
					v, ferr := f.Wait(t.Context())
					if err != nil || ferr != nil || v != 2*i || results[i] != 2*i {
						t.Fatalf("task %d: future %d, %v; group %d, %v", i, v, ferr, results[i], err)
					}
				}
			})
		})
	}
}

// P3: no more tasks run than there are workers, through Resize, Goexit and
// panics.
func TestP3NeverMoreThanWorkers(t *testing.T) {
	var running testkit.Gauge
	var limit atomic.Int64 // the highest limit in force since it was last lowered for certain
	limit.Store(2)
	p := pool.New(2, func(_ context.Context, n int) (int, error) {
		defer running.Leave()
		if in := running.Enter(); int64(in) > limit.Load() {
			t.Errorf("%d tasks run at once, the limit is %d", in, limit.Load())
		}
		runtime.Gosched()
		switch n % 7 {
		case 1:
			runtime.Goexit()
		case 2:
			panic(n)
		}
		return n, nil
	})
	testkit.Watchdog(t, func() {
		for round, workers := range []int{2, 5, 1, 8, 3, 1} {
			if workers >= p.Stats().Limit {
				limit.Store(int64(workers))
				p.Resize(workers)
			} else {
				p.Resize(workers)
				for p.Stats().Running > workers {
					runtime.Gosched()
				}
				limit.Store(int64(workers))
			}
			g := p.Group(t.Context(), pool.CollectAll())
			for i := range 300 {
				g.Go(round*300 + i)
			}
			g.Wait(context.Background())
			if w := p.Stats().Workers; w > workers {
				t.Errorf("%d workers alive after a round with %d", w, workers)
			}
		}
		p.Close()
	})
	if running.Most() < 2 {
		t.Error("nothing ever ran in parallel: the test shows nothing")
	}
}

// P3: a snapshot never shows more running tasks than workers allowed.
func TestP3LoweringTheLimitHoldsBackNewTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		p := pool.New(4, func(context.Context, int) (int, error) { <-gate; return 0, nil })
		for i := range 8 {
			must(p.Submit(t.Context(), i))
		}
		synctest.Wait()
		p.Resize(1)
		gate <- struct{}{}
		gate <- struct{}{}
		synctest.Wait()
		if s := p.Stats(); s.Running != 2 || s.Queued != 4 || s.Workers != 2 {
			t.Errorf("after two of four ended under a limit of 1: %+v", s)
		}
		gate <- struct{}{}
		gate <- struct{}{}
		synctest.Wait()
		if s := p.Stats(); s.Running != 1 || s.Queued != 3 || s.Workers != 1 {
			t.Errorf("after the old ones ended: %+v", s)
		}
		p.Resize(3)
		synctest.Wait()
		if s := p.Stats(); s.Running != 3 || s.Queued != 1 {
			t.Errorf("after raising the limit: %+v", s)
		}
		close(gate)
		p.Close()
	})
}

// P4: no task waits behind a running one while a worker is idle or could be
// started, whichever worker is held.
func TestP4NoTaskWaitsForABusyWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workers = 4
		gate := make(chan struct{})
		p := pool.New(workers, func(_ context.Context, slow int) (int, error) {
			if slow == 1 {
				<-gate
			}
			return 0, nil
		})
		for range workers - 1 {
			must(p.Submit(t.Context(), 1))
			for range 100 {
				must(p.Submit(t.Context(), 0))
			}
			synctest.Wait()
			// All that are fast have run, however many workers are held.
			if s := p.Stats(); s.Queued != 0 {
				t.Fatalf("%d tasks wait with %d of %d workers held", s.Queued, s.Running, workers)
			}
		}
		close(gate)
		p.Close()
	})
}

// P4, FP12: however submissions and workers that look for tasks fall together, in the
// end as many tasks run as there are workers.
func TestP4NobodyIsForgottenOnTheWay(t *testing.T) {
	rounds := 1000
	if testing.Short() {
		rounds = 200
	}
	for range rounds {
		synctest.Test(t, func(t *testing.T) {
			const workers = 4
			gate := make(chan struct{})
			p := pool.New(workers, func(context.Context, int) (int, error) { <-gate; return 0, nil })
			var wg sync.WaitGroup
			for range 2 {
				wg.Go(func() {
					for i := range workers {
						must0(p.Go(t.Context(), i))
					}
				})
			}
			wg.Wait()
			synctest.Wait()
			if s := p.Stats(); s.Running != workers || s.Queued != workers {
				t.Fatalf("%d run and %d wait, want %d and %d", s.Running, s.Queued, workers, workers)
			}
			close(gate)
			p.Close()
		})
	}
}

// nestedWaits lists the ways in which a task may wait for another one of its pool.
var nestedWaits = map[string]func(ctx context.Context, p *pool.Pool[int, int], n int) (int, error){
	"Do": func(ctx context.Context, p *pool.Pool[int, int], n int) (int, error) {
		return p.Do(ctx, n)
	},
	"Submit and Wait": func(ctx context.Context, p *pool.Pool[int, int], n int) (int, error) {
		f := must(p.Submit(ctx, n))
		return f.Wait(ctx)
	},
	"Group": func(ctx context.Context, p *pool.Pool[int, int], n int) (int, error) {
		g := p.Group(ctx)
		accept(g.Go(n))
		vs, err := g.Wait(ctx)
		return vs[0], err
	},
	"Group with a limit": func(ctx context.Context, p *pool.Pool[int, int], n int) (int, error) {
		g := p.Group(ctx, pool.WithLimit(1))
		accept(g.Go(0))
		accept(g.Go(n)) // waits for the one before
		vs, err := g.Wait(ctx)
		return vs[1], err
	},
	"Results": func(ctx context.Context, p *pool.Pool[int, int], n int) (v int, err error) {
		g := p.Group(ctx)
		accept(g.Go(n))
		var r pool.Result[int, int]
		for r, err = range g.Results(ctx) {
			v = r.Value
		}
		return v, err
	},
	"Map": func(ctx context.Context, p *pool.Pool[int, int], n int) (v int, err error) {
		for v, err = range p.Map(ctx, slices.Values([]int{n})) {
		}
		return v, err
	},
	"Map unordered": func(ctx context.Context, p *pool.Pool[int, int], n int) (v int, err error) {
		for v, err = range p.Map(ctx, slices.Values([]int{n}), pool.Unordered()) {
		}
		return v, err
	},
	"the source of a Map": func(ctx context.Context, p *pool.Pool[int, int], n int) (v int, err error) {
		for _, err := range p.Map(ctx, func(yield func(int) bool) { v, err = p.Do(ctx, n); yield(0) }) {
			must0(err)
		}
		return v, err
	},
	"a group in the source of a Map": func(ctx context.Context, p *pool.Pool[int, int], n int) (v int, err error) {
		for _, err := range p.Map(ctx, func(yield func(int) bool) {
			g := p.Group(ctx)
			accept(g.Go(n))
			v = must(g.Wait(ctx))[0]
			yield(0)
		}) {
			must0(err)
		}
		return v, err
	},
	"a group on a goroutine": func(ctx context.Context, p *pool.Pool[int, int], n int) (v int, err error) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			g := p.Group(ctx)
			accept(g.Go(n))
			v = must(g.Wait(ctx))[0]
		}()
		<-done
		return v, nil
	},
	"a derived context": func(ctx context.Context, p *pool.Pool[int, int], n int) (int, error) {
		ctx, cancel := context.WithTimeout(context.WithValue(ctx, keyed{}, n), time.Hour)
		defer cancel()
		return p.Do(ctx, n)
	},
	"a context without an end": func(ctx context.Context, p *pool.Pool[int, int], n int) (int, error) {
		return p.Do(context.WithoutCancel(ctx), n)
	},
	"Close of a group": func(ctx context.Context, p *pool.Pool[int, int], n int) (v int, err error) {
		g := p.Group(ctx)
		accept(g.Go(n))
		for r, err := range g.Results(ctx) {
			v = r.Value
			must0(err)
		}
		accept(!g.Go(n))
		return v, g.Close()
	},
}

// P5, FP8: a task may wait for tasks of its own pool, in every way there is to wait,
// also with one worker and a full queue.
func TestP5NestedWaitsMakeProgress(t *testing.T) {
	for way, wait := range nestedWaits {
		for shape, build := range shapes {
			t.Run(way+"/"+shape, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var p *pool.Pool[int, int]
					p = build(1, func(ctx context.Context, n int) (int, error) {
						if n == 0 {
							return 1, nil
						}
						v, err := wait(ctx, p, n-1)
						return v + 1, err
					})
					if v, err := p.Do(t.Context(), 20); v != 21 || err != nil {
						t.Errorf("got %d, %v; want 21", v, err)
					}
					must0(p.Close())
					s := p.Stats()
					checkSum(t, s)
					if s.Completed < 21 || s.Failed+s.Cancelled != 0 {
						t.Errorf("completed %d, want 21 at least: %v", s.Completed, s)
					}
				})
			})
		}
	}
}

// P5: a goroutine that a task has started, and waits for, counts as inside when
// it uses the task's context.
func TestP5WaitOnAGoroutineOfTheTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p *pool.Pool[int, int]
		p = pool.New(1, func(ctx context.Context, n int) (sum int, err error) {
			if n == 0 {
				return 1, nil
			}
			var wg sync.WaitGroup
			var vs [2]int
			for i := range vs {
				wg.Go(func() { vs[i], _ = p.Do(ctx, n-1) })
			}
			wg.Wait()
			return vs[0] + vs[1], nil
		})
		if v, err := p.Do(t.Context(), 4); v != 16 || err != nil {
			t.Errorf("got %d, %v; want 16", v, err)
		}
		p.Close()
		checkSum(t, p.Stats())
	})
}

// P5, FP7: submitting inside a task neither hangs nor loses when the queue is full.
func TestP5NestedSubmitOnAFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := testkit.NewLedger(101)
		var p *pool.Pool[int, int]
		p = pool.New(1, func(ctx context.Context, n int) (int, error) {
			ledger.Note(n)
			if n < 10 { // 0 … 9 beget 1 … 100
				for i := range 10 {
					must0(p.Go(ctx, n*10+i+1))
				}
			}
			if _, err := p.TrySubmit(ctx, 0); n < 10 && !errors.Is(err, pool.ErrQueueFull) {
				t.Errorf("TrySubmit inside a task on a full queue: %v, want ErrQueueFull", err)
			}
			return 0, nil
		}, pool.WithQueue(0))
		must(p.Submit(t.Context(), 0))
		synctest.Wait() // a closed pool would not accept the nested ones
		must0(p.Close())
		ledger.ExactlyOnce(t)
	})
}

// P6: a task whose context has ended before its turn does not run.
func TestP6EndedContextBeforeStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var ran testkit.Gauge
		p := pool.New(1, func(_ context.Context, n int) (int, error) { ran.Enter(); <-gate; return n, nil })
		must(p.Submit(t.Context(), 0))
		ctx, cancel := context.WithCancel(t.Context())
		must0(p.Go(ctx, 1))
		g := p.Group(ctx)
		accept(g.Go(2))
		must(p.Submit(ctx, 3))
		cancel()
		close(gate)
		_, err := g.Wait(context.Background())
		if !errors.Is(err, context.Canceled) {
			t.Errorf("group: %v", err)
		}
		p.Close()
		if ran.Now() != 1 {
			t.Errorf("%d tasks ran, want 1", ran.Now())
		}
		if s := p.Stats(); s.Cancelled != 3 {
			t.Errorf("cancelled %d, want 3", s.Cancelled)
		}
		// A context that has ended already submits nothing.
		if err := p.Go(ctx, 4); !errors.Is(err, context.Canceled) {
			t.Errorf("Go under an ended context: %v", err)
		}
	})
}

// P7, FP11: FailFast returns the first real error and cancels the rest.
func TestP7FailFastFirstRealError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var started atomic.Int64
		p := pool.New(4, func(ctx context.Context, n int) (int, error) {
			if started.Add(1) == 3 {
				time.Sleep(time.Second)
				return 0, errTask
			}
			select {
			case <-ctx.Done():
				return 0, ctx.Err()
			case <-time.After(time.Hour):
				return n, nil
			}
		})
		defer p.Close()
		start := time.Now()
		g := p.Group(t.Context())
		for i := range 20 {
			accept(g.Go(i))
		}
		vs, err := g.Wait(context.Background())
		if te, ok := errors.AsType[*pool.TaskError](err); !ok || te.Err != errTask {
			t.Errorf("got %v, want the error of the task that failed", err)
		}
		if len(vs) != 20 {
			t.Errorf("%d results, want 20", len(vs))
		}
		if d := time.Since(start); d != time.Second {
			t.Errorf("took %v, want 1s: the rest was not cancelled at once", d)
		}
		if g.Go(1) {
			t.Error("a group that has been waited for has accepted a task")
		}
	})
}

// P7: a group that is failing takes no more tasks, and Wait says why.
func TestP7GoInAFailedGroupIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool.New(1, func(context.Context, int) (int, error) { return 0, errTask })
		defer p.Close()
		g := p.Group(t.Context())
		accept(g.Go(0))
		synctest.Wait()
		if g.Go(1) {
			t.Error("accepted")
		}
		if vs, err := g.Wait(context.Background()); byTask(t, 0, err) != errTask || len(vs) != 1 {
			t.Errorf("Wait: %d results, %v", len(vs), err)
		}
	})
}

// P7: CollectAll runs all and joins the errors in index order, whatever the
// order of completion.
func TestP7CollectAllJoinsInIndexOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool.New(8, func(_ context.Context, n int) (int, error) {
			time.Sleep(time.Duration(10-n) * time.Second)
			if n%2 == 1 {
				return 0, fmt.Errorf("error %d", n)
			}
			return n, nil
		})
		defer p.Close()
		g := p.Group(t.Context(), pool.CollectAll())
		for i := range 6 {
			accept(g.Go(i))
		}
		vs, err := g.Wait(context.Background())
		if diff := cmp.Diff([]int{0, 0, 2, 0, 4, 0}, vs); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
		if want := "task 1: error 1\ntask 3: error 3\ntask 5: error 5"; err == nil || err.Error() != want {
			t.Errorf("error %q, want %q", err, want)
		}
	})
}

// P7: the end of the caller's context is the cause, once, and never a task's
// word for it.
func TestP7ParentContextIsTheCause(t *testing.T) {
	for _, opt := range []pool.GroupOption{pool.FailFast(), pool.CollectAll()} {
		synctest.Test(t, func(t *testing.T) {
			cause := errors.New("user left")
			ctx, cancel := context.WithCancelCause(t.Context())
			p := pool.New(2, func(ctx context.Context, _ int) (int, error) { <-ctx.Done(); return 0, ctx.Err() })
			g := p.Group(ctx, opt)
			for i := range 5 {
				accept(g.Go(i))
			}
			synctest.Wait()
			cancel(cause)
			if _, err := g.Wait(context.Background()); !errors.Is(err, cause) {
				t.Errorf("got %v, want %v", err, cause)
			}
			p.Close()
		})
	}
}

// P9: with one worker tasks run in the order of submission.
func TestP9OneWorkerKeepsOrder(t *testing.T) {
	var got []int
	p := pool.New(1, func(_ context.Context, n int) (int, error) { got = append(got, n); return 0, nil }, pool.WithQueue(3))
	var want []int
	testkit.Watchdog(t, func() {
		for i := range 200 {
			want = append(want, i)
			switch i % 3 {
			case 0:
				must0(p.Go(t.Context(), i))
			case 1:
				must(p.Submit(t.Context(), i))
			default:
				for p.TryGo(t.Context(), i) != nil {
					runtime.Gosched()
				}
			}
		}
		p.Close()
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// P9: those who wait for room are served first come, first served.
func TestP9BlockedSubmittersKeepOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var got []int
		p := pool.New(1, func(_ context.Context, n int) (int, error) { <-gate; got = append(got, n); return 0, nil }, pool.WithQueue(0))
		var want []int
		for i := range 10 {
			want = append(want, i)
			go p.Go(context.Background(), i)
			synctest.Wait()
		}
		if s := p.Stats(); s.Blocked != 9 {
			t.Errorf("blocked %d, want 9", s.Blocked)
		}
		if err := p.TryGo(t.Context(), 99); !errors.Is(err, pool.ErrQueueFull) {
			t.Errorf("TryGo past waiters: %v", err)
		}
		for range 10 {
			gate <- struct{}{}
			synctest.Wait()
		}
		p.Close()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
	})
}

// P9: the error of a task that no one waits for reaches the handler, and is
// counted.
func TestP10ErrorHandler(t *testing.T) {
	var mu sync.Mutex
	var errs []error
	p := pool.New(2, func(_ context.Context, n int) (int, error) {
		switch n {
		case 1:
			return 0, errTask
		case 2:
			panic(errTask)
		case 3:
			runtime.Goexit()
		}
		return n, nil
	}, pool.WithErrorHandler(func(_ context.Context, err error) {
		mu.Lock()
		defer mu.Unlock()
		errs = append(errs, err)
	}))
	for i := range 5 {
		must0(p.Go(t.Context(), i))
	}
	_, err := p.Do(t.Context(), 1) // somebody waits: not for the handler
	if err != errTask {
		t.Error(err)
	}
	p.Close()
	var plain, panics, exits int
	for _, err := range errs {
		if _, ok := errors.AsType[*pool.PanicError](err); ok {
			panics++
		} else if errors.Is(err, pool.ErrGoexit) {
			exits++
		} else if err == errTask {
			plain++
		}
	}
	if diff := cmp.Diff([]int{1, 1, 1, 3}, []int{plain, panics, exits, len(errs)}); diff != "" {
		t.Errorf("errors, panics, Goexits and all (-want +got):\n%s", diff)
	}
	if s := p.Stats(); s.Failed != 4 {
		t.Errorf("failed %d, want 4", s.Failed)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func must0(err error) {
	if err != nil {
		panic(err)
	}
}

func count(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}
