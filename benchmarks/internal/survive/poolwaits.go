package survive

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing/synctest"

	"golang.org/x/sync/semaphore"

	"github.com/tandemgo/tandem/pool"
)

// poolWaits are the scenarios of callers that wait for a pool.
var poolWaits = slices.Concat(
	each("FP8", only(executors, tandem, "pond", "workerpool", "conc"), nestedWait, documented{"conc": "pool.Pool.Go"}),
	with(each("FP9", only(executors, tandem, "pond", "ants"), resizeWakesAll, nil), remark("its queue is disabled; with a queue it survives"), "pond"),
	each("FP18", rooms, grantMeetsCancel, nil),
)

// nestedWait: a task waits for another task of its own pool, which has one worker.
func nestedWait(start newExecutor) error {
	c := start(1, 10)
	done := make(chan struct{})
	err := c.doWithin(func(inside executor) {
		_ = inside.submit(context.Background(), func() {})()
		close(done)
	})
	if err != nil {
		return err
	}
	<-done
	c.end()
	return nil
}

// resizeWakesAll: seven callers submit to one worker, and then there are seven workers.
func resizeWakesAll(start newExecutor) error {
	held := make(chan struct{})
	c := start(1, 0)
	var wg sync.WaitGroup
	for range 7 {
		wg.Go(func() { _ = c.do(func() { <-held }) })
	}
	synctest.Wait() // six callers wait
	c.resize(7)
	wg.Wait()
	close(held)
	c.end()
	return nil
}

// A room has room for one. take returns when it has taken it, or when its context ends.
type room func() (take func(context.Context) error, leave, end func())

var rooms = map[string]room{
	tandem: func() (func(context.Context) error, func(), func()) {
		held := make(chan struct{})
		p := pool.New(1, func(_ context.Context, begun chan struct{}) (int, error) { close(begun); <-held; return 0, nil }, pool.WithQueue(0))
		take := func(ctx context.Context) error {
			begun := make(chan struct{})
			f, err := p.Submit(ctx, begun)
			if err != nil {
				return err
			}
			select {
			case <-begun:
				return nil
			case <-f.Done(): // cancelled before it began
				_, err := f.Wait(context.Background())
				return err
			}
		}
		return take, func() { held <- struct{}{} }, func() { _ = p.Close() }
	},
	"semaphore": func() (func(context.Context) error, func(), func()) {
		s := semaphore.NewWeighted(1)
		return func(ctx context.Context) error { return s.Acquire(ctx, 1) }, func() { s.Release(1) }, func() {}
	},
}

// grantMeetsCancel: room becomes free while the context of the first waiter ends. One
// of the two waiters gets it.
func grantMeetsCancel(open room) error {
	for range 300 {
		take, leave, end := open()
		if err := take(context.Background()); err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(context.Background())
		var first atomic.Bool
		var wg sync.WaitGroup
		wg.Go(func() { first.Store(take(ctx) == nil) })
		synctest.Wait()
		second := make(chan error)
		go func() { second <- take(context.Background()) }()
		synctest.Wait()
		go cancel()
		leave()
		wg.Wait()
		if first.Load() {
			leave()
		}
		if err := <-second; err != nil { // or it hangs, if the room is lost
			return fmt.Errorf("the caller behind one that gave up gets %w", err)
		}
		leave()
		end()
	}
	return nil
}
