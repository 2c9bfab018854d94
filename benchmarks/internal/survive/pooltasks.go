package survive

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing/synctest"
)

// poolTasks are what crews are asked while they work.
var poolTasks = slices.Concat(
	each("FP5", crews, func(hire newCrew) error { return badTasks(hire, runtime.Goexit) }, nil),
	each("FP6", but(crews, "semaphore"), func(hire newCrew) error { return badTasks(hire, func() { panic("bad task") }) }, documented{
		"workerpool": "WorkerPool.Do",
		"errgroup":   "a comment in the source of Group.Go",
	}),
	each("FP7", crews, nestedSubmit, documented{
		"conc":      "pool.Pool.Go",
		"errgroup":  "Group.Go and Group.SetLimit",
		"ants":      "Pool.Submit",
		"semaphore": "Weighted.Acquire",
		"pond":      "README, on disabling the queue",
	}),
	each("FP12", crews, asManyAsWorkers, nil),
	each("FC2", crews, noWorkers, documented{
		"errgroup":  "Group.SetLimit",
		"semaphore": "Weighted.Acquire",
	}),
	each("FC8", crews, processorsChange, nil),
)

// badTasks: after more of them than there are workers, the others run.
func badTasks(hire newCrew, end func()) error {
	c := hire(2)
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
	refuses(func() error { c.end(); return nil }) // which may hand on the panics of tasks
	if n := ran.Load(); n != 10 {
		return fmt.Errorf("%d of 10 tasks ran", n)
	}
	return nil
}

// nestedSubmit: a task of a pool of one worker, which is full, submits more.
func nestedSubmit(hire newCrew) error {
	c := hire(1)
	var ran atomic.Int64
	done := make(chan struct{})
	err := c.doWithin(func(inside crew) {
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

// asManyAsWorkers: however submissions and workers fall together, in the end as
// many tasks run as there are workers.
func asManyAsWorkers(hire newCrew) error {
	for range 200 {
		c := hire(4)
		var running atomic.Int64
		gate := make(chan struct{})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				_ = c.do(func() {}) // lets workers go to sleep and wake up
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

// noWorkers: none is refused, or means something else, but does not hang.
func noWorkers(hire newCrew) error {
	var c crew
	if refuses(func() error { c = hire(0); return nil }) {
		return nil
	}
	ran := make(chan struct{})
	if err := c.do(func() { close(ran) }); err != nil {
		return nil // refused as well
	}
	<-ran
	c.end()
	return nil
}

// processorsChange: each task once, while the number of processors changes.
func processorsChange(hire newCrew) error {
	const tasks = 4000
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	c := hire(4)
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
