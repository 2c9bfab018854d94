package debug_test

import (
	"context"
	"errors"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/debug"
	"github.com/tandemgo/tandem/inflight"
	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/ratelimit"
)

// A fault is what is wrong with a program.
type fault string

const (
	none              fault = "none"
	slowStage         fault = "slow stage"
	stalledSubscriber fault = "stalled subscriber"
	fullQueue         fault = "full queue"
)

// A program has one of each thing, all of which are busy until it is stopped.
type program struct {
	h      debug.Handler
	images pipeline.Observer
	mail   *pool.Pool[int, int]
	prices *broadcast.Broadcast[int]
	calls  *inflight.Limiter
	api    *ratelimit.Limiter
	users  *ratelimit.Keyed[int]
	stop   func() // returns when all has ended
}

var errBounced = errors.New("bounced")

// startProgram starts a program. Healthy, its source is the slowest part of it.
func startProgram(t *testing.T, is fault) *program {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	p := &program{
		prices: broadcast.New[int](broadcast.WithCapacity(256), broadcast.Traced()),
		calls:  inflight.New(2),
		api:    ratelimit.New(ratelimit.Per(50, time.Second), 10),
		users:  ratelimit.NewKeyed[int](ratelimit.Per(12, time.Second), 2),
	}
	for range 5 {
		p.users.Allow(-1) // three times too often
	}
	p.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(p.stop)

	stage := func(name string, d time.Duration, opts ...pipeline.Option) pipeline.Stage[int, int] {
		return pipeline.Map(func(ctx context.Context, n int) (int, error) { pause(ctx, d); return n, nil }, append(opts, pipeline.WithName(name))...)
	}
	resize := 4 * time.Millisecond
	if is == slowStage {
		resize = 80 * time.Millisecond
	}
	images := pipeline.Then(pipeline.Then(stage("fetch", 4*time.Millisecond, pipeline.WithWorkers(4)), stage("resize", resize, pipeline.WithWorkers(2))),
		pipeline.Then(stage("watermark", time.Millisecond), stage("store", 2*time.Millisecond))).Observe(&p.images)
	wg.Go(func() {
		_ = images.ForEach(ctx, pipeline.Seq(ticks(ctx, 10*time.Millisecond)), func(context.Context, int) error { return nil }) // ctx ends it
	})

	send := 5 * time.Millisecond
	if is == fullQueue {
		send = 300 * time.Millisecond
	}
	p.mail = pool.New(4, func(ctx context.Context, n int) (int, error) {
		pause(ctx, send)
		if n%200 == 7 {
			return 0, errBounced
		}
		return n, nil
	}, pool.WithQueue(64), pool.WithErrorHandler(func(context.Context, error) {}))
	wg.Go(func() {
		for n := range ticks(ctx, 4*time.Millisecond) {
			_ = p.mail.Go(ctx, n) // ctx has ended
		}
	})
	wg.Go(func() { <-ctx.Done(); _, _ = p.mail.Stop(context.Background()) })

	for _, name := range []string{"ui", "alerts", "archive"} {
		sub, err := p.prices.Subscribe(broadcast.WithName(name))
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			defer sub.Close()
			for range 500 {
				if _, err := sub.Next(ctx); err != nil {
					return
				}
				if is == stalledSubscriber && name == "alerts" {
					break
				}
			}
			if is == stalledSubscriber && name == "alerts" {
				<-ctx.Done()
			}
			for {
				if _, err := sub.Next(ctx); err != nil {
					return
				}
			}
		})
	}
	wg.Go(func() {
		for n := range ticks(ctx, 2*time.Millisecond) {
			_ = p.prices.Send(ctx, n) // ctx has ended
			p.users.Allow(n % 30)
		}
	})
	wg.Go(func() {
		for range ticks(ctx, 30*time.Millisecond) {
			_ = p.api.Wait(ctx) // ctx has ended
			if permit, ok := p.calls.TryAcquire(1); ok {
				permit.Release(inflight.Success)
			}
		}
	})
	debug.Add(&p.h, "images", &p.images)
	debug.Add(&p.h, "mail", p.mail)
	debug.Add(&p.h, "prices", p.prices)
	debug.Add(&p.h, "calls", p.calls)
	debug.Add(&p.h, "api", p.api)
	debug.Add(&p.h, "users", p.users)
	return p
}

// pause returns after d, or when ctx has ended.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// ticks yields a number now and then until ctx has ended.
func ticks(ctx context.Context, every time.Duration) iter.Seq[int] {
	return func(yield func(int) bool) {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-tick.C:
				if !yield(n) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}
