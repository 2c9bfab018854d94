package pool_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pool"
)

// Inputs and results pair, also when tasks fail and end out of order.
func TestFaultFP2ResultsAreNeverCompacted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool.New(4, func(_ context.Context, n int) (int, error) {
			time.Sleep(time.Duration(100 - n))
			if n%3 == 0 {
				return 0, errTask
			}
			return n, nil
		})
		defer p.Close()
		g := p.Group(t.Context(), pool.CollectAll())
		for i := range 10 {
			accept(g.Go(i))
		}
		order := 0
		for r, err := range g.Results(context.Background()) {
			i := r.Index
			if order++; (err != nil) != (i%3 == 0) || err == nil && r.Value != i || r.Task != i {
				t.Errorf("index %d: %+v, %v", i, r, err)
			}
		}
		vs, _ := g.Wait(context.Background())
		if diff := cmp.Diff([]int{0, 1, 2, 0, 4, 5, 0, 7, 8, 0}, vs); diff != "" || order != 10 {
			t.Errorf("%d results; by index (-want +got):\n%s", order, diff)
		}
	})
}

// A group's waiter does not hang when its context is cancelled while its tasks
// are queued behind a task that never ends.
func TestFaultFP3WaiterOfCancelledQueuedTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		forever := make(chan struct{})
		p := pool.New(1, func(_ context.Context, n int) (int, error) { <-forever; return 0, nil })
		must0(p.Go(t.Context(), 0))
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		g := p.Group(ctx)
		for i := range 10 {
			accept(g.Go(i))
		}
		time.AfterFunc(time.Second, cancel)
		if _, err := g.Wait(context.Background()); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if s := p.Stats(); s.Queued != 0 || s.Running != 1 {
			t.Errorf("%+v", s)
		}
		close(forever)
		p.Close()
	})
}

// A group that fails while its submitter waits for room wakes the submitter.
func TestFaultFP13FailingGroupWakesItsSubmitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool.New(1, func(ctx context.Context, n int) (int, error) {
			time.Sleep(time.Second)
			return 0, errTask
		}, pool.WithQueue(0))
		g := p.Group(t.Context())
		accept(g.Go(0))
		// These wait. Whether they still get room as the first one ends is a race,
		// but they do not hang, and what comes later is told why.
		_ = g.Go(1)
		_ = g.Go(2)
		synctest.Wait()
		if g.Go(3) {
			t.Error("a failed group has accepted a task")
		}
		_, err := g.Wait(context.Background())
		if byTask(t, 0, err) != errTask {
			t.Errorf("Wait: %v", err)
		}
		p.Close()
	})
}

// All workers panic or exit at once while submitters wait for room: they wake.
func TestFaultFP6AllWorkersEndAtOnce(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("all") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				p := pool.New(4, func(_ context.Context, n int) (int, error) {
					<-gate
					end()
					return n, nil
				}, pool.WithQueue(0))
				var wg sync.WaitGroup
				for i := range 40 {
					wg.Go(func() {
						if _, err := p.Do(t.Context(), i); err == nil {
							t.Error("no error")
						}
					})
				}
				synctest.Wait()
				close(gate)
				wg.Wait()
				p.Close()
				if s := p.Stats(); s.Failed != 40 {
					t.Errorf("failed %d, want 40", s.Failed)
				}
			})
		})
	}
}

// Close, Stop and Resize wake every submitter that waits for room.
func TestFaultFP9NoSubmitterIsLeftAsleep(t *testing.T) {
	acts := map[string]struct {
		act      func(*pool.Pool[int, int])
		accepted int
	}{
		"Close":  {func(p *pool.Pool[int, int]) { go p.Close() }, 0},
		"Stop":   {func(p *pool.Pool[int, int]) { go stop(p) }, 0},
		"Resize": {func(p *pool.Pool[int, int]) { p.Resize(11) }, 10},
	}
	for name, a := range acts {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				p := pool.New(1, func(context.Context, int) (int, error) { <-gate; return 0, nil }, pool.WithQueue(0))
				must0(p.Go(t.Context(), 0))
				var wg sync.WaitGroup
				var accepted testkit.Gauge
				for i := range 10 {
					wg.Go(func() {
						switch err := p.Go(context.Background(), i); {
						case err == nil:
							accepted.Enter()
						case !errors.Is(err, pool.ErrClosed):
							t.Errorf("got %v", err)
						}
					})
				}
				synctest.Wait()
				a.act(p)
				wg.Wait() // the worker is still held
				if accepted.Now() != a.accepted {
					t.Errorf("%d accepted, want %d", accepted.Now(), a.accepted)
				}
				close(gate)
				p.Close()
			})
		})
	}
}

// Shutdown returns at the deadline, though a task ignores its context, and says
// how many there are.
func TestFaultFC4ShutdownWithATaskThatNeverEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		forever := make(chan struct{})
		var told error
		p := pool.New(2, func(ctx context.Context, n int) (int, error) {
			if n == 0 {
				<-forever
				return 0, nil
			}
			<-ctx.Done()
			told = context.Cause(ctx)
			return 0, ctx.Err()
		})
		must0(p.Go(t.Context(), 0))
		polite := must(p.Submit(t.Context(), 1))
		synctest.Wait()
		queued := must(p.Submit(t.Context(), 2))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		err := p.Shutdown(ctx)
		if time.Since(start) != time.Minute || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown returned %v after %v", err, time.Since(start))
		}
		if want := "2 tasks still running, 1 cancelled in the queue"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
		if _, err := queued.Wait(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the queued task: %v", err)
		}
		if _, err := polite.Wait(t.Context()); !errors.Is(err, context.Canceled) || !errors.Is(told, context.DeadlineExceeded) {
			t.Errorf("the polite task: %v, its cause %v", err, told)
		}
		close(forever)
		p.Close()
	})
}

// The end of the pool's root context closes the pool and leaves nothing.
func TestFaultFP15RootContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("server stops")
		root, cancel := context.WithCancelCause(context.WithValue(t.Context(), rootKey{}, "root"))
		p := pool.New(1, func(ctx context.Context, n int) (int, error) {
			if ctx.Value(rootKey{}) != "root" {
				t.Error("the values of the root are missing")
			}
			<-ctx.Done()
			return 0, context.Cause(ctx)
		}, pool.WithContext(root), pool.WithMinWorkers(1))
		running := must(p.Submit(t.Context(), 1))
		queued := must(p.Submit(t.Context(), 2))
		synctest.Wait()
		cancel(cause)
		for _, f := range []*pool.Future[int]{running, queued} {
			if _, err := f.Wait(t.Context()); !errors.Is(err, cause) || errors.Is(err, pool.ErrNotStarted) != (f == queued) {
				t.Errorf("got %v, want %v", err, cause)
			}
		}
		err := p.Go(t.Context(), 3)
		if !errors.Is(err, pool.ErrClosed) || !errors.Is(err, cause) {
			t.Errorf("Go afterwards: %v", err)
		}
		// Not closed by anybody: the bubble fails if a worker is left.
	})
}

type rootKey struct{}

// A deadline of the root shows in the tasks' contexts.
func TestFaultFP17RootDeadlineShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		p := pool.New(1, func(ctx context.Context, _ string) (string, error) {
			d, _ := ctx.Deadline()
			return time.Until(d).String(), nil
		}, pool.WithContext(root))
		defer p.Close()
		if d, err := p.Do(t.Context(), ""); d != "1m0s" || err != nil {
			t.Errorf("got %v, %v", d, err)
		}
		sooner, cancelSooner := context.WithTimeout(t.Context(), time.Second)
		defer cancelSooner()
		if d, err := p.Do(sooner, ""); d != "1s" || err != nil {
			t.Errorf("got %v, %v", d, err)
		}
	})
}

// Cancelling one future over and over does not let the queue grow.
func TestFaultFP14CancelledTasksGiveTheirRoomBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		p := pool.New(1, func(context.Context, int) (int, error) { <-gate; return 0, nil }, pool.WithQueue(1))
		must0(p.Go(t.Context(), 0))
		for i := range 100 {
			f, err := p.TrySubmit(t.Context(), i)
			if err != nil {
				t.Fatalf("round %d: %v", i, err)
			}
			f.Cancel(nil)
			f.Cancel(errTask) // too late to matter
			if _, err := f.Wait(t.Context()); !errors.Is(err, context.Canceled) || !errors.Is(err, pool.ErrNotStarted) {
				t.Fatalf("round %d: %v", i, err)
			}
		}
		close(gate)
		p.Close()
	})
}

// The context of a running task ends by its future's Cancel.
func TestFaultFP16CancelOfARunningTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool.New(1, func(ctx context.Context, _ int) (int, error) { <-ctx.Done(); return 5, context.Cause(ctx) })
		defer p.Close()
		f := must(p.Submit(t.Context(), 0))
		synctest.Wait()
		f.Cancel(errTask)
		if v, err := f.Wait(t.Context()); v != 5 || err != errTask {
			t.Errorf("got %d, %v: what the task returns is its result", v, err)
		}
		<-f.Done()
	})
}

// Workers have ids below the limit, none twice at a time.
func TestWorkerIDs(t *testing.T) {
	const workers = 4
	var inUse [workers]testkit.Gauge
	p := pool.New(workers, func(ctx context.Context, n int) (int, error) {
		id, ok := pool.WorkerID(ctx)
		if !ok || id < 0 || id >= workers {
			t.Errorf("id %d, %v", id, ok)
			return 0, nil
		}
		if inUse[id].Enter() != 1 {
			t.Errorf("id %d is in use twice", id)
		}
		defer inUse[id].Leave()
		runtime.Gosched()
		if n%5 == 0 {
			runtime.Goexit()
		}
		return id, nil
	})
	testkit.Watchdog(t, func() {
		for i := range 500 {
			must0(p.Go(t.Context(), i))
		}
		p.Close()
	})
	if id, ok := pool.WorkerID(t.Context()); ok {
		t.Errorf("outside a task: %d, %v", id, ok)
	}
}

// Everything at once: submitters of all kinds, cancels, panics, Goexit, nested
// work, Resize, and then one of three ways to close; every id once.
func TestChaosConservesEveryTask(t *testing.T) {
	rounds := 30
	if testing.Short() {
		rounds = 5
	}
	for round := range rounds {
		seed := rand.Uint64()
		testkit.Watchdog(t, func() { chaos(t, seed, round) })
		if t.Failed() {
			t.Fatalf("seed %d, round %d", seed, round)
		}
	}
}

func chaos(t *testing.T, seed uint64, round int) {
	const submitters, each = 6, 150
	ran := testkit.NewLedger(submitters * each)   // started in fn
	ended := testkit.NewLedger(submitters * each) // ran, was cancelled, handed back or not accepted
	var nested sync.Map
	var p *pool.Pool[int, int]
	p = pool.New(1+round%4, func(ctx context.Context, id int) (int, error) {
		if id < 0 { // nested
			return id, nil
		}
		ran.Note(id)
		switch id % 11 {
		case 1:
			return 0, errTask
		case 2:
			panic(id)
		case 3:
			runtime.Goexit()
		case 4:
			if _, err := p.Do(ctx, -id); err != nil && !errors.Is(err, pool.ErrClosed) && ctx.Err() == nil {
				t.Errorf("nested: %v", err)
			}
			nested.Store(id, true)
		case 5:
			runtime.Gosched()
		}
		return id, nil
	}, pool.WithQueue(round%7*3), pool.WithIdleTimeout(time.Duration(round%3)*time.Microsecond))

	var wg sync.WaitGroup
	for s := range submitters {
		rnd := rand.New(rand.NewPCG(seed, uint64(s)))
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			g := p.Group(t.Context(), pool.CollectAll())
			var inGroup []int
			for i := range each {
				id := s*each + i
				switch rnd.IntN(5) {
				case 0:
					f, err := p.Submit(ctx, id)
					if err == nil {
						if rnd.IntN(2) == 0 {
							f.Cancel(errTask)
						}
						_, _ = f.Wait(context.Background())
					}
					ended.Note(id)
				case 1:
					short, stop := context.WithTimeout(ctx, time.Duration(rnd.IntN(50))*time.Microsecond)
					if f, err := p.Submit(short, id); err == nil {
						_, _ = f.Wait(context.Background())
					}
					stop()
					ended.Note(id)
				case 2:
					_ = g.Go(id)
					inGroup = append(inGroup, id)
				default:
					_, _ = p.Do(ctx, id)
					ended.Note(id)
				}
				if rnd.IntN(40) == 0 {
					p.Resize(1 + rnd.IntN(5))
				}
			}
			_, _ = g.Wait(context.Background())
			for _, id := range inGroup {
				ended.Note(id)
			}
		})
	}
	if round%2 == 0 { // close in the middle
		runtime.Gosched()
		switch round % 6 {
		case 0:
			stop(p)
		case 2:
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_ = p.Shutdown(ctx)
		default:
			p.Close()
		}
	}
	wg.Wait()
	p.Close()
	ran.AtMostOnce(t)
	ended.ExactlyOnce(t)
	s := p.Stats()
	checkSum(t, s)
	if s.Workers+s.Queued+s.Running+s.Waiting+s.Blocked != 0 {
		t.Errorf("something is left: %+v", s)
	}
	if inFn := s.Completed + s.Failed; inFn < uint64(ran.Total()) {
		t.Errorf("%d ran, but only %d are counted", ran.Total(), inFn)
	}
}
