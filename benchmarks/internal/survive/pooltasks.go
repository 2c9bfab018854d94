package survive

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing/synctest"
)

// poolTasks are the scenarios of executors at work.
var poolTasks = slices.Concat(
	each("FP5", executors, func(start newExecutor) error { return badTasks(start, runtime.Goexit) }, nil),
	each("FP6", but(executors, "semaphore"), func(start newExecutor) error { return badTasks(start, func() { panic("bad task") }) }, documented{
		"workerpool": "WorkerPool.Do",
		"errgroup":   "a comment in the source of Group.Go",
	}),
	each("FP7", executors, nestedSubmit, documented{
		"conc":      "pool.Pool.Go",
		"errgroup":  "Group.Go and Group.SetLimit",
		"ants":      "Pool.Submit",
		"semaphore": "Weighted.Acquire",
		"pond":      "README, on disabling the queue",
	}),
	each("FP12", executors, asManyAsWorkers, nil),
	each("FC2", executors, noWorkers, documented{
		"errgroup":  "Group.SetLimit",
		"semaphore": "Weighted.Acquire",
	}),
	each("FC8", executors, processorsChange, nil),
)

// badTasks: after more bad tasks than there are workers, other tasks still run.
func badTasks(start newExecutor, end func()) error {
	c := start(2, 0)
	var ran atomic.Int64
	for range 10 {
		if err := c.do(end); err != nil {
			return err
		}
	}
	for range 10 {
		if err := c.do(func() { ran.Add(1) }); err != nil {
			return err
		}
	}
	refuses(func() error { c.end(); return nil }) // end may propagate the panics of tasks
	if n := ran.Load(); n != 10 {
		return fmt.Errorf("%d of 10 tasks ran", n)
	}
	return nil
}

// nestedSubmit: a task submits more tasks to its own pool, which has one worker and is
// full.
func nestedSubmit(start newExecutor) error {
	c := start(1, 0)
	var ran atomic.Int64
	done := make(chan struct{})
	err := c.doWithin(func(inside executor) {
		for range 5 {
			_ = inside.do(func() { ran.Add(1) })
		}
		close(done)
	})
	if err != nil {
		return err
	}
	<-done
	c.end()
	if n := ran.Load(); n != 5 {
		return fmt.Errorf("%d of 5 tasks ran", n)
	}
	return nil
}

// asManyAsWorkers: in any interleaving of submissions and workers, as many tasks run in
// the end as there are workers.
func asManyAsWorkers(start newExecutor) error {
	for range 200 {
		c := start(4, 0)
		var running atomic.Int64
		gate := make(chan struct{})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				_ = c.do(func() {}) // makes workers sleep and wake up
				_ = c.do(func() { running.Add(1); <-gate })
			})
		}
		synctest.Wait()
		n := running.Load()
		close(gate)
		wg.Wait()
		c.end()
		if n != 4 {
			return fmt.Errorf("%d tasks run on 4 workers, and others wait", n)
		}
	}
	return nil
}

// noWorkers: a pool of 0 workers is rejected or gets a default number, but does not
// hang.
func noWorkers(start newExecutor) error {
	var c executor
	if refuses(func() error { c = start(0, 0); return nil }) {
		return nil
	}
	ran := make(chan struct{})
	if err := c.do(func() { close(ran) }); err != nil {
		return nil // rejected as well
	}
	<-ran
	c.end()
	return nil
}

// processorsChange: each task runs once while the number of processors changes.
func processorsChange(start newExecutor) error {
	const tasks = 4000
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	c := start(4, 0)
	ran := make([]atomic.Int64, tasks)
	var wg sync.WaitGroup
	for s := range 4 {
		wg.Go(func() {
			for id := s; id < tasks; id += 4 {
				if s == 0 && id%400 == 0 {
					runtime.GOMAXPROCS(1 + id/400%4)
				}
				_ = c.do(func() { ran[id].Add(1) })
			}
		})
	}
	wg.Wait()
	c.end()
	for id := range ran {
		if n := ran[id].Load(); n != 1 {
			return fmt.Errorf("task %d ran %d times", id, n)
		}
	}
	return nil
}
