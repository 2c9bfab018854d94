package pool_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"weak"

	"github.com/tandemgo/tandem/pool"
)

// P6: a task that asks for the first time after the pool was stopped is told the
// same by all that it may ask, in any order, and by each of them at once.
func TestP6WhoAsksLateIsToldTheSame(t *testing.T) {
	for name, order := range map[string][]int{"the cause first": {0, 1, 2}, "Done first": {1, 2, 0}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				p := pool.New(1, func(ctx context.Context, _ int) (int, error) {
					<-gate
					ask := []func(){
						func() {
							if cause := context.Cause(ctx); cause != pool.ErrClosed {
								t.Errorf("the cause is %v", cause)
							}
						},
						func() {
							select {
							case <-ctx.Done():
							default:
								t.Error("the context has not ended")
							}
						},
						func() {
							if ctx.Err() != context.Canceled {
								t.Errorf("the error is %v", ctx.Err())
							}
						},
					}
					for _, i := range order {
						ask[i]()
					}
					return 0, nil
				})
				ctx, cancel := context.WithCancel(t.Context()) // does not end
				defer cancel()
				must0(p.Go(ctx, 1))
				synctest.Wait()
				go stop(p)
				synctest.Wait()
				close(gate)
				must0(p.Close())
			})
		})
	}
}

// C8: nothing is kept of the context of a task that has run in place, though it
// has asked for Done, and neither the pool nor what the task lives under has ended.
func TestC8ContextOfATaskInPlace(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var p *pool.Pool[keyed, int]
	p = pool.NewOrdered(1, pool.ByKey(keyOf), func(ctx context.Context, k keyed) (int, error) {
		if k.key == 1 {
			must0(p.Go(ctx, keyed{2, 0})) // to be run before the next one
			return p.Do(ctx, keyed{2, 1})
		}
		if k.n == 0 && ctx.Done() == nil {
			t.Error("the context cannot end")
		}
		return k.n, nil
	})
	defer p.Close()
	ref := func() weak.Pointer[blob] {
		b := new(blob)
		must(p.Do(context.WithValue(ctx, keyed{}, b), keyed{1, 0}))
		must(p.Do(ctx, keyed{3, 0})) // the worker has another context now
		return weak.Make(b)
	}()
	runtime.GC()
	runtime.GC()
	if ref.Value() != nil {
		t.Error("the context of a task that has ended is still reachable")
	}
}
