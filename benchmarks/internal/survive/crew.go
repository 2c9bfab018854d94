package survive

import (
	"context"
	"sync"

	"github.com/alitto/pond/v2"
	"github.com/gammazero/workerpool"
	"github.com/panjf2000/ants/v2"
	concpool "github.com/sourcegraph/conc/pool"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/tandemgo/tandem/pool"
)

// A crew runs functions on workers.
type crew struct {
	do   func(func()) error // submit; an error means that it will not run
	end  func()             // no more; wait for all
	quit func()             // the same without waiting, where there is that
	// within submits a task that gets the crew as it is to be used inside the task. It is
	// nil if that makes no difference.
	within func(func(inside crew)) error
}

// doWithin submits a task that gets the crew as it is to be used inside the task.
func (c crew) doWithin(fn func(inside crew)) error {
	if c.within != nil {
		return c.within(fn)
	}
	return c.do(func() { fn(c) })
}

// A newCrew makes a crew of so many workers, with as little room for waiting
// tasks as the library allows.
type newCrew func(workers int) crew

// always is for libraries that tell no error.
func always(do func(func())) func(func()) error {
	return func(fn func()) error { do(fn); return nil }
}

var crews = map[string]newCrew{
	tandem: func(workers int) crew {
		p := pool.New(workers, func(ctx context.Context, fn func(context.Context)) (struct{}, error) {
			fn(ctx)
			return struct{}{}, nil
		}, pool.WithQueue(0), pool.WithErrorHandler(func(context.Context, error) {}))
		do := func(ctx context.Context, fn func()) error {
			return p.Go(ctx, func(context.Context) { fn() })
		}
		return crew{
			do:  func(fn func()) error { return do(context.Background(), fn) },
			end: func() { _ = p.Close() },
			within: func(fn func(crew)) error {
				return p.Go(context.Background(), func(ctx context.Context) {
					fn(crew{do: func(fn func()) error { return do(ctx, fn) }, quit: func() { _ = p.Shutdown(ctx) }})
				})
			},
		}
	},
	"conc": func(workers int) crew {
		p := concpool.New().WithMaxGoroutines(workers)
		return crew{do: always(p.Go), end: p.Wait}
	},
	"pond": func(workers int) crew {
		p := pond.NewPool(workers, pond.WithQueueSize(0))
		return crew{do: p.Go, end: p.StopAndWait, quit: func() { p.Stop() }}
	},
	"ants": func(workers int) crew {
		p, err := ants.NewPool(workers)
		if err != nil {
			panic(err)
		}
		return crew{do: p.Submit, end: func() { _ = p.ReleaseContext(context.Background()) }, quit: p.Release}
	},
	"workerpool": func(workers int) crew {
		p := workerpool.New(workers)
		return crew{do: p.Do, end: p.StopWait}
	},
	"errgroup": func(workers int) crew {
		g := new(errgroup.Group)
		g.SetLimit(workers)
		return crew{do: always(func(fn func()) { g.Go(func() error { fn(); return nil }) }), end: func() { _ = g.Wait() }}
	},
	"semaphore": func(workers int) crew {
		s := semaphore.NewWeighted(int64(workers))
		return crew{do: func(fn func()) error {
			if err := s.Acquire(context.Background(), 1); err != nil {
				return err
			}
			go func() {
				defer s.Release(1)
				fn()
			}()
			return nil
		}, end: func() {
			_ = s.Acquire(context.Background(), int64(workers))
			s.Release(int64(workers))
		}}
	},
	channels: func(workers int) crew {
		queue := make(chan func())
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for fn := range queue {
					fn()
				}
			})
		}
		return crew{do: always(func(fn func()) { queue <- fn }), end: func() { close(queue); wg.Wait() }, quit: func() { close(queue) }}
	},
	classic: func(workers int) crew {
		p := newClassicPool(workers)
		go func() { // or it deadlocks
			for range p.results {
			}
		}()
		return crew{do: always(func(fn func()) { p.jobs <- func() any { fn(); return nil } }), end: p.close}
	},
}
