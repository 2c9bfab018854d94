package pool_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/fan"
	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/ratelimit"
)

// elsewhere lists calls of the other packages that go on under the context of a task. Each
// calls step a minute or more after it was called, and then lasts until ctx has ended.
var elsewhere = map[string]func(ctx context.Context, step func()) error{
	"fan.Map": func(ctx context.Context, step func()) error {
		_, err := fan.Map(ctx, 2, []int{1, 2, 3}, func(ctx context.Context, i int) (int, error) {
			if err := sleep(ctx, time.Minute); err != nil {
				return 0, err
			}
			if i == 3 {
				step()
				<-ctx.Done()
			}
			return i, context.Cause(ctx)
		})
		return err
	},
	"fan.Seq": func(ctx context.Context, step func()) error {
		for v, err := range fan.Seq(ctx, 2, count(1_000_000), func(ctx context.Context, i int) (int, error) { return i, sleep(ctx, time.Minute) }) {
			if err != nil {
				return err
			}
			if v == 3 {
				step()
			}
		}
		return nil
	},
	"pipeline": func(ctx context.Context, step func()) error {
		s := pipeline.Map(func(ctx context.Context, i int) (int, error) {
			if err := sleep(ctx, time.Minute); err != nil {
				return 0, err
			}
			if i == 2 {
				step()
				<-ctx.Done()
			}
			return i, context.Cause(ctx)
		}, pipeline.WithWorkers(2))
		_, err := s.Collect(ctx, pipeline.Seq(count(10)))
		return err
	},
	"limiter": func(ctx context.Context, step func()) error {
		l := ratelimit.New(ratelimit.Every(time.Minute), 1)
		for range 3 {
			if err := l.Wait(ctx); err != nil {
				return err
			}
		}
		step()
		for {
			if err := l.Wait(ctx); err != nil {
				return err
			}
		}
	},
	"Next": func(ctx context.Context, step func()) error {
		b := broadcast.New[int]()
		defer b.Close()
		sub := must(b.Subscribe())
		time.AfterFunc(time.Minute, func() { _ = b.Send(context.Background(), 1) })
		if _, err := sub.Next(ctx); err != nil {
			return err
		}
		step()
		_, err := sub.Next(ctx)
		return err
	},
	"NextBatch": func(ctx context.Context, step func()) error {
		b := broadcast.New[int]()
		defer b.Close()
		sub := must(b.Subscribe())
		time.AfterFunc(time.Minute, func() { _ = b.Send(context.Background(), 1) })
		dst := make([]int, 4)
		if _, err := sub.NextBatch(ctx, dst); err != nil {
			return err
		}
		step()
		_, err := sub.NextBatch(ctx, dst)
		return err
	},
	"Send": func(ctx context.Context, step func()) error {
		b := broadcast.New[int](broadcast.WithCapacity(1))
		defer b.Close()
		sub := must(b.Subscribe(broadcast.WithOverflow(broadcast.Block)))
		time.AfterFunc(time.Minute, func() { _, _ = sub.Next(context.Background()) })
		must0(b.Send(ctx, 1))
		if err := b.Send(ctx, 2); err != nil { // waits for room
			return err
		}
		step()
		return b.Send(ctx, 3)
	},
	"subscription": func(ctx context.Context, step func()) error {
		b := broadcast.New[int]()
		defer b.Close()
		sub := must(b.Subscribe(broadcast.WithContext(ctx)))
		time.AfterFunc(time.Minute, func() { _ = b.Send(context.Background(), 1) })
		if _, err := sub.Next(context.Background()); err != nil {
			return err
		}
		step()
		_, err := sub.Next(context.Background())
		return err
	},
}

// sleep returns the cause of ctx if that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// P11: calls of the other packages that a task has started under its context go on after the
// task has returned, when its worker has gone on to other work, and after the pool has been
// closed. They end with the submitter's context or the pool's.
func TestP11OtherPackagesGoOn(t *testing.T) {
	for _, ends := range []string{"submitter", "root"} {
		for _, closes := range []bool{false, true} {
			for run, submit := range runs {
				t.Run(fmt.Sprint(ends, "/", run, "/closed ", closes), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { otherPackagesGoOn(t, ends, submit, closes) })
				})
			}
		}
	}
}

// otherPackagesGoOn makes all calls elsewhere, in a pool for each.
func otherPackagesGoOn(t *testing.T, ends string, submit func(context.Context, *tailPool) func(tailTask), closes bool) {
	type call struct {
		name            string
		p               *tailPool
		endRoot, endCtx context.CancelCauseFunc
		steps           atomic.Int64
		ended           chan error
	}
	var calls []*call
	for name, fn := range elsewhere {
		c := &call{name: name, ended: make(chan error, 1)}
		calls = append(calls, c)
		var root, ctx context.Context
		root, c.endRoot = context.WithCancelCause(context.Background())
		ctx, c.endCtx = context.WithCancelCause(context.Background())
		c.p = newTailPool(pool.WithContext(root))
		submit(ctx, c.p)(func(ctx context.Context) error {
			go func() { c.ended <- fn(ctx, func() { c.steps.Add(1) }) }()
			return nil
		})
		synctest.Wait()
		must(c.p.Do(context.Background(), func(context.Context) error { return nil }))
		if closes {
			must0(c.p.Close())
		}
	}
	collect()
	time.Sleep(time.Hour)
	synctest.Wait()
	for _, c := range calls {
		select {
		case err := <-c.ended:
			t.Errorf("%s: ended with %v", c.name, err)
		default:
		}
		if n := c.steps.Load(); n != 1 {
			t.Errorf("%s: %d steps", c.name, n)
		}
		if ends == "root" {
			c.endRoot(errRoot)
		} else {
			c.endCtx(errRoot)
		}
		synctest.Wait()
		select {
		case err := <-c.ended:
			if !errors.Is(err, errRoot) {
				t.Errorf("%s: ended with %v", c.name, err)
			}
		default:
			t.Errorf("%s: does not end with the %s", c.name, ends)
		}
		c.p.Close()
		c.endCtx(nil)
		c.endRoot(nil)
	}
}
