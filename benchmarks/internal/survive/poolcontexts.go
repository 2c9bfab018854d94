package survive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing/synctest"
	"time"

	"github.com/alitto/pond/v2"

	"github.com/tandemgo/tandem/pool"
)

// poolContexts are the scenarios of contexts that end.
var poolContexts = slices.Concat(
	each("FP3", only(executors, tandem, "pond", "errgroup", "semaphore"), queuedTasksAreCancelled, documented{"errgroup": "Group.Go and Group.SetLimit"}),
	each("FP14", only(executors, tandem, "pond"), cancelledLeaveTheQueue, nil),
	each("FP15", rooted, rootEnds, nil),
)

// queuedTasksAreCancelled: a caller that waits for a queued task returns when its
// context ends, though the worker is busy for ever.
func queuedTasksAreCancelled(start newExecutor) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	held := make(chan struct{})
	c := start(1, 10)
	if err := c.do(func() { <-held }); err != nil {
		return err
	}
	err := c.submit(ctx, func() {})()
	close(held)
	c.end()
	if err == nil {
		return errors.New("no error, though nothing has run")
	}
	return nil
}

// cancelledLeaveTheQueue: there is room again after a queued task was cancelled.
func cancelledLeaveTheQueue(start newExecutor) error {
	held := make(chan struct{})
	c := start(1, 1)
	if err := c.do(func() { <-held }); err != nil {
		return err
	}
	synctest.Wait() // the worker has begun
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c.submit(ctx, func() {})
	if c.try(func() {}) {
		return errors.New("the queue is larger than it was to be")
	}
	cancel()
	settle()
	ok := c.try(func() {})
	close(held)
	c.end()
	if !ok {
		return errors.New("a cancelled task keeps the last place in the queue")
	}
	return nil
}

// rooted are pools of one worker made with a context: their task ends with it, and
// further tasks can be waited for.
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

// rootEnds: all callers notice the end, later ones too, and no goroutine is left.
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
