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

	"github.com/tandemgo/tandem/benchmarks/classic"
	"github.com/tandemgo/tandem/pool"
)

// An executor runs functions on workers. A field is nil if the library does not have it.
type executor struct {
	do   func(func()) error // submits; an error means that the function will not run
	end  func()             // closes the executor and waits for all functions
	quit func()             // closes without waiting
	// within submits a task that gets the executor in the form for use inside the task, if that
	// is another form.
	within func(func(inside executor)) error
	// submit submits a function under a context, and returns a function that waits for it.
	submit   func(context.Context, func()) (wait func() error)
	try      func(func()) bool // submits if there is room
	resize   func(workers int)
	shutdown func(context.Context) error // ends, and gives up as the context ends
}

// doWithin submits a task that gets the executor in the form for use inside the task.
func (c executor) doWithin(fn func(inside executor)) error {
	if c.within != nil {
		return c.within(fn)
	}
	return c.do(func() { fn(c) })
}

// A newExecutor makes an executor with the given number of workers and room for as many waiting
// functions, if the library has a bound for them.
type newExecutor func(workers, queue int) executor

// always adapts libraries that return no error.
func always(do func(func())) func(func()) error {
	return func(fn func()) error { do(fn); return nil }
}

var executors = map[string]newExecutor{
	tandem: func(workers, queue int) executor {
		p := pool.New(workers, func(ctx context.Context, fn func(context.Context)) (struct{}, error) {
			fn(ctx)
			return struct{}{}, nil
		}, pool.WithQueue(queue), pool.WithErrorHandler(func(context.Context, error) {}))
		in := func(caller context.Context) executor { // for callers with this context
			return executor{
				do:   func(fn func()) error { return p.Go(caller, func(context.Context) { fn() }) },
				quit: func() { _ = p.Shutdown(caller) },
				submit: func(ctx context.Context, fn func()) func() error {
					f, err := p.Submit(ctx, func(context.Context) { fn() })
					if err != nil {
						return func() error { return err }
					}
					return func() error { _, err := f.Wait(caller); return err }
				},
			}
		}
		c := in(context.Background())
		c.end, c.quit = func() { _ = p.Close() }, nil
		c.within = func(fn func(executor)) error {
			return p.Go(context.Background(), func(ctx context.Context) { fn(in(ctx)) })
		}
		c.try = func(fn func()) bool { return p.TryGo(context.Background(), func(context.Context) { fn() }) == nil }
		c.resize, c.shutdown = func(workers int) { p.Resize(workers) }, p.Shutdown
		return c
	},
	"conc": func(workers, _ int) executor {
		p := concpool.New().WithMaxGoroutines(workers)
		return executor{do: always(p.Go), end: p.Wait, submit: func(_ context.Context, fn func()) func() error {
			done := make(chan struct{})
			p.Go(func() { fn(); close(done) })
			return func() error { <-done; return nil }
		}}
	},
	"pond": func(workers, queue int) executor {
		p := pond.NewPool(workers, pond.WithQueueSize(queue))
		return executor{
			do: p.Go, end: p.StopAndWait, quit: func() { p.Stop() },
			submit: func(ctx context.Context, fn func()) func() error { return p.NewGroupContext(ctx).Submit(fn).Wait },
			try:    func(fn func()) bool { _, ok := p.TrySubmit(fn); return ok },
			resize: p.Resize,
			shutdown: func(ctx context.Context) error {
				select {
				case <-p.Stop().Done():
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			},
		}
	},
	"ants": func(workers, _ int) executor {
		p, err := ants.NewPool(workers)
		if err != nil {
			panic(err)
		}
		return executor{do: p.Submit, end: func() { _ = p.ReleaseContext(context.Background()) }, quit: p.Release,
			resize: p.Tune, shutdown: p.ReleaseContext}
	},
	"workerpool": func(workers, _ int) executor {
		p := workerpool.New(workers)
		return executor{do: p.Do, end: p.StopWait, submit: func(_ context.Context, fn func()) func() error {
			return func() error { return p.DoWait(fn) }
		}}
	},
	"errgroup": func(workers, _ int) executor {
		g := new(errgroup.Group)
		g.SetLimit(workers)
		return executor{
			do: always(func(fn func()) { g.Go(func() error { fn(); return nil }) }), end: func() { _ = g.Wait() },
			submit: func(ctx context.Context, fn func()) func() error {
				return func() error {
					g.Go(func() error { fn(); return ctx.Err() }) // waits
					return g.Wait()
				}
			},
		}
	},
	"semaphore": func(workers, _ int) executor {
		s := semaphore.NewWeighted(int64(workers))
		submit := func(ctx context.Context, fn func()) func() error {
			return func() error {
				if err := s.Acquire(ctx, 1); err != nil {
					return err
				}
				go func() {
					defer s.Release(1)
					fn()
				}()
				return nil
			}
		}
		return executor{do: func(fn func()) error { return submit(context.Background(), fn)() }, submit: submit, end: func() {
			_ = s.Acquire(context.Background(), int64(workers))
			s.Release(int64(workers))
		}}
	},
	byHand: func(workers, _ int) executor {
		queue := make(chan func())
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for fn := range queue {
					fn()
				}
			})
		}
		return executor{do: always(func(fn func()) { queue <- fn }), end: func() { close(queue); wg.Wait() }, quit: func() { close(queue) }}
	},
	byClassic: func(workers, _ int) executor {
		p := classic.NewPool(context.Background(), workers, 10, func(fn any) any { fn.(func())(); return nil })
		go func() { // otherwise it deadlocks
			for range p.Results {
			}
		}()
		return executor{do: always(func(fn func()) { p.Jobs <- fn }), end: p.Close}
	},
}
