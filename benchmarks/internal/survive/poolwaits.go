package survive

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing/synctest"

	"github.com/alitto/pond/v2"
	"github.com/gammazero/workerpool"
	"github.com/panjf2000/ants/v2"
	concpool "github.com/sourcegraph/conc/pool"
	"golang.org/x/sync/semaphore"

	"github.com/tandemgo/tandem/pool"
)

// poolWaits are what is asked about those who wait for a pool.
var poolWaits = slices.Concat(
	each("FP8", nests, func(nest func(chan struct{}) (end func())) error {
		done := make(chan struct{})
		end := nest(done)
		<-done
		end()
		return nil
	}, documented{"conc": "pool.Pool.Go"}),
	remark(each("FP9", resizables, resizeWakesAll, nil), "pond", "its queue is disabled; with a queue it survives"),
	each("FP18", rooms, grantMeetsCancel, nil),
)

// nests run a task that waits for another task of the same pool, of one worker,
// and then closes done.
var nests = map[string]func(done chan struct{}) (end func()){
	tandem: func(done chan struct{}) func() {
		var p *pool.Pool[int, int]
		p = pool.New(1, func(ctx context.Context, v int) (int, error) {
			if v == 0 {
				_, _ = p.Do(ctx, 1)
				close(done)
			}
			return v, nil
		})
		_ = p.Go(context.Background(), 0)
		return func() { _ = p.Close() }
	},
	"pond": func(done chan struct{}) func() {
		p := pond.NewPool(1)
		_ = p.Go(func() { _ = p.Submit(func() {}).Wait(); close(done) })
		return p.StopAndWait
	},
	"workerpool": func(done chan struct{}) func() {
		p := workerpool.New(1)
		_ = p.Do(func() { _ = p.DoWait(func() {}); close(done) })
		return p.StopWait
	},
	"conc": func(done chan struct{}) func() {
		p := concpool.New().WithMaxGoroutines(1)
		p.Go(func() {
			inner := make(chan struct{})
			p.Go(func() { close(inner) })
			<-inner
			close(done)
		})
		return p.Wait
	},
}

// A resizable is a pool of one worker, and no queue, whose tasks wait for held.
type resizable func(held chan struct{}) (do func() error, grow, end func())

var resizables = map[string]resizable{
	tandem: func(held chan struct{}) (func() error, func(), func()) {
		p := pool.New(1, func(context.Context, int) (int, error) { <-held; return 0, nil }, pool.WithQueue(0))
		return func() error { return p.Go(context.Background(), 1) }, func() { p.Resize(7) }, func() { _ = p.Close() }
	},
	"pond": func(held chan struct{}) (func() error, func(), func()) {
		p := pond.NewPool(1, pond.WithQueueSize(0))
		return func() error { return p.Go(func() { <-held }) }, func() { p.Resize(7) }, p.StopAndWait
	},
	"ants": func(held chan struct{}) (func() error, func(), func()) {
		p, err := ants.NewPool(1)
		if err != nil {
			panic(err)
		}
		return func() error { return p.Submit(func() { <-held }) }, func() { p.Tune(7) },
			func() { _ = p.ReleaseContext(context.Background()) }
	},
}

// resizeWakesAll: seven submit to one worker, and then there are seven.
func resizeWakesAll(open resizable) error {
	held := make(chan struct{})
	do, grow, end := open(held)
	var wg sync.WaitGroup
	for range 7 {
		wg.Go(func() { _ = do() })
	}
	synctest.Wait() // six of them wait
	grow()
	wg.Wait()
	close(held)
	end()
	return nil
}

// A room has a place for one. Take returns as it is taken, and until then waits
// for that as long as its context lasts.
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
			case <-f.Done(): // it was cancelled before it began
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

// grantMeetsCancel: room is left as the context of the first in line ends. It goes
// to one of the two who wait, and is not lost.
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
		if err := <-second; err != nil { // or it hangs
			return fmt.Errorf("who waits behind one that gave up is told %w", err)
		}
		leave()
		end()
	}
	return nil
}
