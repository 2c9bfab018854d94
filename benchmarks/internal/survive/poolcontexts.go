package survive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing/synctest"
	"time"

	"github.com/alitto/pond/v2"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/tandemgo/tandem/pool"
)

// poolContexts are what is asked about contexts that end.
var poolContexts = slices.Concat(
	each("FP3", waiters, queuedTasksAreCancelled, documented{"errgroup": "Group.Go and Group.SetLimit"}),
	each("FP14", queues, cancelledLeaveTheQueue, nil),
	each("FP15", rooted, rootEnds, nil),
)

// A waiter has one worker, which is held, and waits for a task behind it that is
// to be cancelled with ctx.
type waiter func(ctx context.Context, held chan struct{}) (wait func() error, end func())

var waiters = map[string]waiter{
	tandem: func(ctx context.Context, held chan struct{}) (func() error, func()) {
		p := pool.New(1, func(context.Context, int) (int, error) { <-held; return 0, nil })
		_ = p.Go(context.Background(), 0)
		g := p.Group(ctx)
		g.Go(1)
		return func() error { _, err := g.Wait(context.Background()); return err }, func() { _ = p.Close() }
	},
	"pond": func(ctx context.Context, held chan struct{}) (func() error, func()) {
		p := pond.NewPool(1)
		_ = p.Go(func() { <-held })
		return p.NewGroupContext(ctx).Submit(func() {}).Wait, p.StopAndWait
	},
	"errgroup": func(ctx context.Context, held chan struct{}) (func() error, func()) {
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(1)
		g.Go(func() error { <-held; return nil })
		return func() error {
			g.Go(ctx.Err) // waits already
			return g.Wait()
		}, func() {}
	},
	"semaphore": func(ctx context.Context, held chan struct{}) (func() error, func()) {
		s := semaphore.NewWeighted(1)
		_ = s.Acquire(context.Background(), 1)
		return func() error { return s.Acquire(ctx, 1) }, func() {}
	},
}

// queuedTasksAreCancelled: a caller that waits for a queued task learns of the end of its
// context, though the worker is held for ever.
func queuedTasksAreCancelled(open waiter) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	held := make(chan struct{})
	wait, end := open(ctx, held)
	err := wait()
	close(held)
	end()
	if err == nil {
		return errors.New("no error, though nothing has run")
	}
	return nil
}

// queues have one worker, which is held, and a place for one task.
var queues = map[string]func(held chan struct{}) (fill func(context.Context), try func() bool, end func()){
	tandem: func(held chan struct{}) (func(context.Context), func() bool, func()) {
		p := pool.New(1, func(context.Context, int) (int, error) { <-held; return 0, nil }, pool.WithQueue(1))
		_ = p.Go(context.Background(), 0)
		return func(ctx context.Context) { p.Group(ctx).Go(1) },
			func() bool { return p.TryGo(context.Background(), 2) == nil }, func() { _ = p.Close() }
	},
	"pond": func(held chan struct{}) (func(context.Context), func() bool, func()) {
		p := pond.NewPool(1, pond.WithQueueSize(1))
		_ = p.Go(func() { <-held })
		return func(ctx context.Context) { p.NewGroupContext(ctx).Submit(func() {}) },
			func() bool { _, ok := p.TrySubmit(func() {}); return ok }, p.StopAndWait
	},
}

// cancelledLeaveTheQueue: there is room again once a queued task is cancelled.
func cancelledLeaveTheQueue(open func(chan struct{}) (func(context.Context), func() bool, func())) error {
	held := make(chan struct{})
	fill, try, end := open(held)
	synctest.Wait() // the worker has begun
	ctx, cancel := context.WithCancel(context.Background())
	fill(ctx)
	if try() {
		cancel()
		return errors.New("the queue is larger than it was to be")
	}
	cancel()
	settle()
	ok := try()
	close(held)
	end()
	if !ok {
		return errors.New("a cancelled task keeps the last place in the queue")
	}
	return nil
}

// rooted are pools of one worker that were made with a context: their task ends
// with it, and more of them can be waited for.
var rooted = map[string]func(root context.Context) (do func() (wait func() error)){
	tandem: func(root context.Context) func() func() error {
		p := pool.New(1, func(ctx context.Context, _ int) (int, error) { <-ctx.Done(); return 0, ctx.Err() }, pool.WithContext(root))
		return func() func() error {
			f, err := p.Submit(context.Background(), 1)
			if err != nil {
				return func() error { return err }
			}
			return func() error { _, err := f.Wait(context.Background()); return err }
		}
	},
	"pond": func(root context.Context) func() func() error {
		p := pond.NewPool(1, pond.WithContext(root))
		return func() func() error { return p.SubmitErr(func() error { <-root.Done(); return root.Err() }).Wait }
	},
}

// rootEnds: all callers learn of the end, later ones too, and nothing is left.
func rootEnds(open func(context.Context) func() func() error) error {
	root, cancel := context.WithCancel(context.Background())
	do := open(root)
	waits := []func() error{do(), do(), do()}
	synctest.Wait()
	cancel()
	waits = append(waits, do())
	for i, wait := range waits {
		if wait() == nil {
			return fmt.Errorf("task %d has no error", i)
		}
	}
	return nil
}
