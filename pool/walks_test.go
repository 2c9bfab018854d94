package pool_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pool"
)

// C2: a walk whose context ends says so next, whatever its tasks and its source are
// at, and whatever there was to come, and returns when these have ended.
func TestC2WalkEndsWithItsContext(t *testing.T) {
	cause := errors.New("enough")
	gate := make(chan struct{}) // closed by the loop body
	walks := map[string]struct {
		fn     pool.Func[int, int]
		source func(yield func(int) bool)
		before int // pairs, of which the last one ends the context
	}{
		"tasks wait for their context": {
			fn:     func(ctx context.Context, _ int) (int, error) { <-ctx.Done(); return 0, context.Cause(ctx) },
			source: count(100),
		},
		"tasks wait for the loop body": {
			fn:     func(context.Context, int) (int, error) { <-gate; return 0, nil },
			source: count(100),
		},
		"the source waits for the loop body": {
			fn:     func(_ context.Context, n int) (int, error) { return n, nil },
			source: func(func(int) bool) { <-gate },
		},
		"results are there": {
			fn:     func(_ context.Context, n int) (int, error) { return n, nil },
			source: count(100),
			before: 1,
		},
	}
	for name, w := range walks {
		for _, opts := range [][]pool.MapOption{nil, {pool.Unordered()}} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					gate = make(chan struct{})
					ctx, cancel := context.WithCancelCause(t.Context())
					defer cancel(nil)
					if w.before == 0 {
						go func() {
							synctest.Wait()
							cancel(cause)
						}()
					}
					p := pool.New(2, w.fn)
					seen := 0
					var last error
					for _, err := range p.Map(ctx, w.source, opts...) {
						last = err
						if seen++; seen == w.before {
							synctest.Wait() // the others have ended, too
							cancel(cause)
						}
						if err == cause {
							close(gate)
						}
					}
					if seen != w.before+1 || last != cause {
						t.Errorf("%d pairs, the last one with %v; want %d and %v", seen, last, w.before+1, cause)
					}
					must0(p.Close())
				})
			})
		}
	}
}

// C1, P7: who leaves the walk over the results of a group early ends it, and waits
// for its tasks.
func TestC1LeavingResultsJoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running testkit.Gauge
		p := pool.New(2, func(ctx context.Context, n int) (int, error) {
			running.Enter()
			defer running.Leave()
			if n > 0 {
				<-ctx.Done()
			}
			return n, nil
		})
		g := p.Group(t.Context())
		for n := range 5 {
			accept(g.Go(n))
		}
		for r, err := range g.Results(context.Background()) {
			if r.Index != 0 || r.Value != 0 || err != nil {
				t.Errorf("%+v, %v", r, err)
			}
			break
		}
		if running.Now() != 0 {
			t.Errorf("%d tasks still run", running.Now())
		}
		if _, err := g.Wait(context.Background()); !errors.Is(err, context.Canceled) {
			t.Errorf("Wait: %v", err)
		}
		must0(p.Close())
		s := p.Stats()
		if checkSum(t, s); s.Queued != 0 || s.Cancelled == 0 {
			t.Errorf("%+v", s)
		}
	})
}

// P7: when the context of a group ends, that is the cause, though all that its task
// says is that its own has ended.
func TestP7NotATasksWordForTheEnd(t *testing.T) {
	for _, opt := range []pool.GroupOption{pool.FailFast(), pool.CollectAll()} {
		synctest.Test(t, func(t *testing.T) {
			cause := errors.New("enough")
			ctx, cancel := context.WithCancelCause(t.Context())
			p := pool.New(1, func(ctx context.Context, _ int) (int, error) { <-ctx.Done(); return 0, ctx.Err() })
			g := p.Group(ctx, opt)
			accept(g.Go(1))
			synctest.Wait()
			cancel(cause)
			if _, err := g.Wait(context.Background()); !errors.Is(err, cause) {
				t.Errorf("got %v, want %v", err, cause)
			}
			must0(p.Close())
		})
	}
}

// P6: once the context has ended under which tasks were submitted, none of them
// starts, though a worker has taken several of them at once.
func TestP6EndedContextInABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		begun := 0
		p := pool.New(1, func(_ context.Context, n int) (int, error) {
			if n == 0 {
				<-gate
				return 0, nil
			}
			begun++
			cancel()
			return n, nil
		})
		must0(p.Go(t.Context(), 0))
		synctest.Wait()
		for n := range 64 {
			must0(p.Go(ctx, n+1))
		}
		close(gate)
		if err := p.Close(); !errors.Is(err, context.Canceled) || !errors.Is(err, pool.ErrNotStarted) {
			t.Errorf("Close: %v", err)
		}
		if s := p.Stats(); begun != 1 || s.Cancelled != 63 {
			t.Errorf("%d begun, %d cancelled of 64", begun, s.Cancelled)
		}
	})
}

// P1: Do that returns since its context has ended takes its task out of the queue.
func TestP1DoTakesItsTaskBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		p := pool.New(1, func(context.Context, int) (int, error) { <-gate; return 0, nil })
		must0(p.Go(t.Context(), 0))
		ctx, cancel := context.WithCancelCause(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := p.Do(ctx, 1)
			done <- err
		}()
		synctest.Wait()
		cancel(errTask)
		if err := <-done; err != errTask {
			t.Errorf("Do: %v", err)
		}
		if s := p.Stats(); s.Queued != 0 || s.Cancelled != 1 {
			t.Errorf("%+v", s)
		}
		close(gate)
		must0(p.Close())
	})
}
