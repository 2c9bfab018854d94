package survive

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// poolEnds are the scenarios of the end of executors. A semaphore has no end, and errgroup
// and conc can only be waited for, after all tasks were submitted.
var poolEnds = slices.Concat(
	each("FP4", but(executors, "conc", "errgroup", "semaphore"), stopRacesSubmit, nil),
	each("FC4", only(executors, tandem, "ants", "pond"), taskThatNeverEnds, nil),
	with(each("FC5", but(executors, "semaphore"), endAgain, nil), waitIsTheEnd, "conc"),
	with(each("FC6", but(executors, "semaphore"), endFromEverywhere, nil), waitIsTheEnd, "conc"),
	each("FC7", but(executors, "semaphore"), endInside, documented{
		"conc":       "pool.Pool, on when to call Wait",
		"errgroup":   "Group.Wait",
		"workerpool": "WorkerPool.Stop and WorkerPool.StopWait",
	}),
)

var waitIsTheEnd = remark("it has no other end than Wait")

// stopRacesSubmit: an accepted task runs, and the submission of any other returns an
// error, a few hundred times.
func stopRacesSubmit(start newExecutor) error {
	for range 300 {
		c := start(4, 0)
		var accepted, ran atomic.Int64
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 50 {
					if c.do(func() { ran.Add(1) }) != nil {
						return
					}
					accepted.Add(1)
				}
			})
		}
		for range 100 {
			runtime.Gosched()
		}
		c.end()
		wg.Wait()
		settle()
		if a, r := accepted.Load(), ran.Load(); a != r {
			return fmt.Errorf("%d tasks accepted, %d ran", a, r)
		}
	}
	return nil
}

// taskThatNeverEnds: the end of a pool gives up at the deadline, with an error.
func taskThatNeverEnds(start newExecutor) error {
	held := make(chan struct{})
	c := start(1, 0)
	if err := c.do(func() { <-held }); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := c.shutdown(ctx)
	close(held)
	if err == nil {
		return errors.New("no error, though a task runs on")
	}
	return nil
}

// endAgain ends an executor three times.
func endAgain(start newExecutor) error {
	c := start(2, 0)
	if err := c.do(func() {}); err != nil {
		return err
	}
	for range 3 {
		c.end()
	}
	return nil
}

// endFromEverywhere ends an executor 64 times at once.
func endFromEverywhere(start newExecutor) error {
	c := start(2, 0)
	for range 4 {
		if err := c.do(func() {}); err != nil {
			return err
		}
	}
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(c.end)
	}
	wg.Wait()
	return nil
}

// endInside ends an executor from one of its tasks, without waiting if the library can.
func endInside(start newExecutor) error {
	c := start(2, 0)
	done := make(chan struct{})
	err := c.doWithin(func(inside executor) {
		defer close(done)
		if inside.quit != nil {
			inside.quit()
		} else {
			inside.end()
		}
	})
	if err != nil {
		return err
	}
	<-done
	return nil
}
