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

	"github.com/alitto/pond/v2"
	"github.com/panjf2000/ants/v2"

	"github.com/tandemgo/tandem/pool"
)

// poolEnds are what crews are asked at their end. To end a semaphore there is
// nothing, and errgroup and conc can be waited for, once all is submitted.
var poolEnds = slices.Concat(
	each("FP4", but(crews, "conc", "errgroup", "semaphore"), stopRacesSubmit, nil),
	each("FC4", shutdowns, taskThatNeverEnds, nil),
	remark(each("FC5", but(crews, "semaphore"), endAgain, nil), "conc", waitIsTheEnd),
	remark(each("FC6", but(crews, "semaphore"), endFromEverywhere, nil), "conc", waitIsTheEnd),
	each("FC7", but(crews, "semaphore"), endInside, documented{
		"conc":       "pool.Pool, on when to call Wait",
		"errgroup":   "Group.Wait",
		"workerpool": "WorkerPool.Stop and WorkerPool.StopWait",
	}),
)

const waitIsTheEnd = "it has no other end than Wait"

// stopRacesSubmit: a task that is accepted runs, and a caller whose task is not learns so,
// a few hundred times.
func stopRacesSubmit(hire newCrew) error {
	for range 300 {
		c := hire(4)
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

// A shutdown is a pool with a task that runs, and what ends it or gives up with
// its context.
type shutdown func(task func()) (end func(context.Context) error)

var shutdowns = map[string]shutdown{
	tandem: func(task func()) func(context.Context) error {
		p := pool.New(1, func(context.Context, int) (int, error) { task(); return 0, nil })
		_ = p.Go(context.Background(), 1)
		return p.Shutdown
	},
	"ants": func(task func()) func(context.Context) error {
		p, err := ants.NewPool(1)
		if err != nil {
			panic(err)
		}
		_ = p.Submit(task)
		return p.ReleaseContext
	},
	"pond": func(task func()) func(context.Context) error {
		p := pond.NewPool(1)
		_ = p.Go(task)
		return func(ctx context.Context) error {
			select {
			case <-p.Stop().Done():
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	},
}

// taskThatNeverEnds: the end of a pool is given up at the deadline, with an error.
func taskThatNeverEnds(open shutdown) error {
	held := make(chan struct{})
	end := open(func() { <-held })
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := end(ctx)
	close(held)
	if err == nil {
		return errors.New("no error, though a task runs on")
	}
	return nil
}

// endAgain ends a crew, and twice more.
func endAgain(hire newCrew) error {
	c := hire(2)
	if err := c.do(func() {}); err != nil {
		return err
	}
	for range 3 {
		c.end()
	}
	return nil
}

// endFromEverywhere ends a crew 64 times at once.
func endFromEverywhere(hire newCrew) error {
	c := hire(2)
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

// endInside ends a crew from one of its tasks, in the way that does not wait if
// there is one.
func endInside(hire newCrew) error {
	c := hire(2)
	done := make(chan struct{})
	err := c.doWithin(func(inside crew) {
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
