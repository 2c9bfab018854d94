package pool_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/pool"
)

// P9: no task is lost in silence. The error handler hears of each that no one
// waits for: that failed, that found its context ended, and that was queued as
// the pool ended. It does not hear of what Stop returns.
func TestP10TheHandlerHearsOfEachLostTask(t *testing.T) {
	errOwn, errEnd := errors.New("the task's context"), errors.New("the end")
	for name, c := range map[string]struct {
		end      func(*pool.Pool[int, int], context.CancelCauseFunc) (returned int)
		why      error // that the running one and those in the queue end with
		returned int
	}{
		"Shutdown": {func(p *pool.Pool[int, int], _ context.CancelCauseFunc) int {
			ctx, cancel := context.WithCancelCause(context.Background())
			cancel(errEnd)
			if err := p.Shutdown(ctx); !errors.Is(err, errEnd) {
				t.Error(err)
			}
			return 0
		}, errEnd, 0},
		"context": {func(_ *pool.Pool[int, int], cancel context.CancelCauseFunc) int { cancel(errEnd); return 0 }, errEnd, 0},
		"Stop":    {func(p *pool.Pool[int, int], _ context.CancelCauseFunc) int { return len(stop(p)) }, pool.ErrClosed, 40},
	} {
		byThree := pool.ByKey(func(n int) int { return n % 3 })
		for kind, order := range map[string]*pool.Order[int]{"plain": nil, "ordered": &byThree} {
			t.Run(name+" "+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var mu sync.Mutex
					heard, notStarted := map[error]int{}, 0
					root, cancel := context.WithCancelCause(context.Background())
					defer cancel(nil)
					p := build(1, order, func(ctx context.Context, n int) (int, error) {
						<-ctx.Done()
						return 0, context.Cause(ctx)
					}, pool.WithContext(root), pool.WithErrorHandler(func(_ context.Context, err error) {
						mu.Lock()
						defer mu.Unlock()
						if errors.Is(err, pool.ErrNotStarted) {
							notStarted++
							err = errors.Unwrap(err)
						}
						heard[err]++
					}))
					own, end := context.WithCancelCause(t.Context())
					must0(p.Go(own, 0))
					for n := range 5 {
						must0(p.Go(own, n))
					}
					synctest.Wait() // one runs
					end(errOwn)
					synctest.Wait() // all of them are over
					must0(p.Go(t.Context(), 0))
					synctest.Wait() // another one runs
					for n := range 40 {
						must0(p.Go(t.Context(), n))
					}
					returned := c.end(p, cancel)
					must0(p.Close())
					synctest.Wait() // the goroutine that a context ends a pool on
					lost := 1 + 40 - c.returned
					if returned != c.returned || heard[errOwn] != 6 || heard[c.why] != lost || len(heard) != 2 || notStarted != 5+lost-1 {
						t.Errorf("%d returned, heard %v, want %d returned, 6 of the context, %d of the end", returned, heard, c.returned, lost)
					}
				})
			})
		}
	}
}

// C2: a task whose error handler has not returned is running, so that Shutdown
// waits for the handler as long as its context allows and not longer.
func TestC2ShutdownDoesNotWaitForAHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := pool.New(1, func(context.Context, int) (int, error) { return 0, errTask },
			pool.WithErrorHandler(func(context.Context, error) { <-release }))
		must0(p.Go(t.Context(), 1))
		synctest.Wait()
		if s := p.Stats(); s.Running != 1 || s.Failed != 0 {
			t.Errorf("in the handler: %+v", s)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := p.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		close(release)
		must0(p.Close())
		if s := p.Stats(); s.Failed != 1 {
			t.Errorf("after it: %+v", s)
		}
	})
}

// C6: the handler of an error of a closing state may shut the pool down, also when the worker has
// been idle or the state was that of a task in place: Shutdown does not wait for its caller.
func TestC6TheHandlerOfAClosingStateShutsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, last := range []int{0, 1} { // the number of tasks in place
			var p *pool.Pool[int, int]
			var got []error
			open := func(context.Context) (int, error) { return 0, nil }
			p = pool.NewStateful(1, open, func(ctx context.Context, _, n int) (int, error) {
				if n > 0 {
					return p.Do(ctx, n-1)
				}
				return 0, nil
			}, func(int) error { return errTask }, pool.WithErrorHandler(func(ctx context.Context, err error) {
				if !errors.Is(err, errTask) {
					t.Errorf("the handler got %v", err)
				}
				got = append(got, p.Shutdown(ctx))
			}))
			must(p.Do(t.Context(), last))
			time.Sleep(time.Minute) // the worker has been idle for too long
			synctest.Wait()
			if len(got) != 1+last || slices.ContainsFunc(got, func(err error) bool { return err != pool.ErrInside }) {
				t.Errorf("Shutdown in the handler returned %v", got)
			}
			if err := p.Go(t.Context(), 0); err != pool.ErrClosed {
				t.Errorf("Go after it: %v", err)
			}
			if err := p.Close(); !errors.Is(err, errTask) {
				t.Errorf("Close: %v", err)
			}
		}
	})
}

// C1: nil from Shutdown means that all is over, though its context has ended
// long since; and while states are being closed it is not.
func TestC1ShutdownOfAnIdlePool(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	synctest.Test(t, func(t *testing.T) {
		for range 100 {
			p := pool.New(4, double)
			for _, err := range p.Map(t.Context(), slices.Values([]int{1, 2, 3, 4})) {
				must0(err)
			}
			must0(p.Shutdown(ended))
			if s := p.Stats(); s.Workers != 0 {
				t.Fatalf("Shutdown has returned nil: %+v", s)
			}
		}
		open := func(context.Context) (int, error) { return 0, nil }
		fn := func(context.Context, int, int) (int, error) { return 0, nil }
		release := make(chan struct{})
		p := pool.NewStateful(1, open, fn, func(int) error { <-release; return errTask })
		must(p.Do(t.Context(), 1))
		want := "pool: Shutdown: no task is left, 1 workers have not closed their state: context canceled"
		if err := p.Shutdown(ended); err == nil || err.Error() != want {
			t.Errorf("Shutdown while a state is being closed: %v, want %s", err, want)
		}
		close(release)
		if err := p.Close(); !errors.Is(err, errTask) {
			t.Errorf("Close: %v", err)
		}
	})
}
