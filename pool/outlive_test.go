package pool_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pool"
)

type tailTask = func(context.Context) error

type tailPool = pool.Pool[tailTask, struct{}]

// newTailPool makes a pool of functions with one worker.
func newTailPool(opts ...pool.Option) *tailPool {
	return pool.New(1, func(ctx context.Context, f tailTask) (struct{}, error) { return struct{}{}, f(ctx) }, opts...)
}

// runs lists every way to run one task in a pool, until it has returned.
var runs = map[string]func(ctx context.Context, p *tailPool) func(tailTask){
	"Go": func(ctx context.Context, p *tailPool) func(tailTask) {
		return func(task tailTask) { must0(p.Go(ctx, task)) }
	},
	"Submit": func(ctx context.Context, p *tailPool) func(tailTask) {
		return func(task tailTask) { must(must(p.Submit(ctx, task)).Wait(ctx)) }
	},
	"Do": func(ctx context.Context, p *tailPool) func(tailTask) {
		return func(task tailTask) { must(p.Do(ctx, task)) }
	},
	"Group": func(ctx context.Context, p *tailPool) func(tailTask) {
		return func(task tailTask) {
			g := p.Group(ctx)
			accept(g.Go(task))
			must(g.Wait(context.Background()))
		}
	},
	"Results": func(ctx context.Context, p *tailPool) func(tailTask) {
		return func(task tailTask) {
			g := p.Group(ctx, pool.CollectAll())
			accept(g.Go(task))
			for _, err := range g.Results(context.Background()) {
				must0(err)
			}
		}
	},
	"Map": func(ctx context.Context, p *tailPool) func(tailTask) {
		return func(task tailTask) {
			for _, err := range p.Map(ctx, func(yield func(tailTask) bool) { yield(task) }) {
				must0(err)
			}
		}
	},
	"in place": func(ctx context.Context, p *tailPool) func(tailTask) {
		return func(task tailTask) {
			must(p.Do(ctx, func(ctx context.Context) error { must(p.Do(ctx, task)); return nil }))
		}
	},
}

// A tail is work that a task leaves behind. It uses the task's context from then on, and
// says when that has ended, and why.
var tails = map[string]func(ctx context.Context, ended func(context.Context)){
	"goroutine that asks late": func(ctx context.Context, ended func(context.Context)) {
		go func() {
			time.Sleep(time.Second)
			<-ctx.Done()
			ended(ctx)
		}()
	},
	"goroutine that waits": func(ctx context.Context, ended func(context.Context)) {
		done := ctx.Done()
		go func() { <-done; ended(ctx) }()
	},
	"AfterFunc": func(ctx context.Context, ended func(context.Context)) {
		context.AfterFunc(ctx, func() { ended(ctx) })
	},
	"AfterFunc of a value": func(ctx context.Context, ended func(context.Context)) {
		ctx = context.WithValue(ctx, keyed{2, 2}, 1)
		context.AfterFunc(ctx, func() { ended(ctx) })
	},
	"derived": func(ctx context.Context, ended func(context.Context)) {
		ctx, cancel := context.WithTimeout(ctx, 24*time.Hour)
		context.AfterFunc(ctx, func() { cancel(); ended(ctx) })
	},
	"asks for Err": func(ctx context.Context, ended func(context.Context)) {
		go func() {
			for ctx.Err() == nil {
				time.Sleep(10 * time.Minute)
			}
			ended(ctx)
		}()
	},
	"task of another pool": func(ctx context.Context, ended func(context.Context)) {
		q := pool.New(1, func(ctx context.Context, _ int) (int, error) { <-ctx.Done(); ended(ctx); return 0, nil })
		must0(q.Go(ctx, 1))
		go q.Close()
	},
	"future of another pool": func(ctx context.Context, ended func(context.Context)) {
		q := pool.New(1, func(ctx context.Context, _ int) (int, error) { <-ctx.Done(); ended(ctx); return 0, nil })
		must(q.Submit(context.WithValue(ctx, keyed{3, 3}, 1), 1))
		go q.Close()
	},
	"group of another pool": func(ctx context.Context, ended func(context.Context)) {
		q := pool.New(1, func(ctx context.Context, _ int) (int, error) { <-ctx.Done(); ended(ctx); return 0, nil })
		g := q.Group(ctx)
		accept(g.Go(1))
		go func() { g.Wait(context.Background()); q.Close() }()
	},
	"walk of another pool": func(ctx context.Context, ended func(context.Context)) {
		q := pool.New(1, func(ctx context.Context, _ int) (int, error) { <-ctx.Done(); return 0, nil })
		go func() {
			for range q.Map(ctx, count(1)) {
			}
			ended(ctx)
			q.Close()
		}()
	},
	"task of a third pool": func(ctx context.Context, ended func(context.Context)) {
		r := pool.New(1, func(ctx context.Context, _ int) (int, error) { <-ctx.Done(); ended(ctx); return 0, nil })
		q := pool.New(1, func(ctx context.Context, _ int) (int, error) { return 0, r.Go(ctx, 1) })
		must0(q.Go(ctx, 1))
		go func() { q.Close(); r.Close() }()
	},
}

// P11: what a task has started elsewhere under its context is not cancelled because the
// task has returned, the pool is idle or closed. It is when what the task was submitted
// with has ended, or the context of the pool, and then it is told why.
func TestP11WorkOutlivesItsTask(t *testing.T) {
	for _, end := range []string{"submitter", "deadline of the submitter", "root", "Stop", "Shutdown"} {
		for run, submit := range runs {
			for _, closes := range []bool{false, true} {
				if closes && (end == "Stop" || end == "Shutdown") {
					continue
				}
				t.Run(fmt.Sprint(end, "/", run, "/closed ", closes), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { workOutlivesItsTask(t, end, submit, closes) })
				})
			}
		}
	}
}

// workOutlivesItsTask leaves each of the tails behind, in a pool for each.
func workOutlivesItsTask(t *testing.T, end string, submit func(context.Context, *tailPool) func(tailTask), closes bool) {
	errEnd := errors.New("end")
	want := errEnd
	type left struct {
		name            string
		p               *tailPool
		endRoot, endCtx context.CancelCauseFunc
		ended           atomic.Int64
		cause           atomic.Pointer[error]
	}
	var all []*left
	for name, tail := range tails {
		l := &left{name: name}
		all = append(all, l)
		var root, ctx context.Context
		root, l.endRoot = context.WithCancelCause(context.Background())
		ctx, l.endCtx = context.WithCancelCause(context.WithValue(context.Background(), keyed{1, 1}, "value"))
		switch end {
		case "root", "Stop", "Shutdown":
			ctx = context.WithValue(context.Background(), keyed{1, 1}, "value")
		case "deadline of the submitter":
			c, cancel := context.WithTimeout(ctx, 48*time.Hour)
			defer cancel()
			ctx, want = c, context.DeadlineExceeded
		}
		l.p = newTailPool(pool.WithContext(root))
		submit(ctx, l.p)(func(ctx context.Context) error {
			tail(ctx, func(ctx context.Context) {
				err := context.Cause(ctx)
				l.cause.Store(&err)
				l.ended.Add(1)
				if v := ctx.Value(keyed{1, 1}); v != "value" {
					t.Errorf("%s: its value is %v", name, v)
				}
				if _, ok := pool.WorkerID(ctx); !ok {
					t.Errorf("%s: it has no worker", name)
				}
			})
			return nil
		})
		if closes {
			must0(l.p.Close())
		}
	}
	check := func(n int64) {
		t.Helper()
		synctest.Wait()
		for _, l := range all {
			if l.ended.Load() != n {
				t.Errorf("%s: ended %d times, want %d", l.name, l.ended.Load(), n)
			}
		}
	}
	time.Sleep(time.Minute)
	check(0)
	if !closes && end == "submitter" {
		for _, l := range all {
			must(l.p.Do(context.Background(), func(context.Context) error { return nil })) // the worker has gone on
		}
		check(0)
	}
	collect()
	switch end {
	case "submitter":
		for _, l := range all {
			l.endCtx(errEnd)
		}
	case "deadline of the submitter":
		time.Sleep(48 * time.Hour)
	case "root":
		for _, l := range all {
			l.endRoot(errEnd)
		}
	case "Stop", "Shutdown":
		for _, l := range all {
			gate := make(chan struct{})
			must0(l.p.Go(context.Background(), func(context.Context) error { <-gate; return nil }))
			synctest.Wait()
			if end == "Stop" {
				_, _ = l.p.Stop(over(errEnd))
			} else {
				_ = l.p.Shutdown(over(errEnd))
			}
			close(gate)
		}
	}
	time.Sleep(time.Hour)
	check(1)
	for _, l := range all {
		if err := l.cause.Load(); err == nil || !errors.Is(*err, want) {
			t.Errorf("%s: the cause is %v, want %v", l.name, err, want)
		}
		l.p.Close()
		l.endRoot(nil)
		l.endCtx(nil)
	}
}

// P11: stopping a pool that was closed and is at rest ends nothing: there is nothing of
// its own left.
func TestP11StopAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ctx context.Context
		p := pool.New(1, func(c context.Context, _ int) (int, error) { ctx = c; return 0, nil })
		must(p.Do(context.Background(), 1))
		must0(p.Close())
		stop(p)
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		_ = p.Shutdown(gone)
		if ctx.Err() != nil || context.Cause(ctx) != nil {
			t.Error(context.Cause(ctx))
		}
		select {
		case <-ctx.Done():
			t.Error("done")
		default:
		}
	})
}

// P11: a task that is cancelled by its future ends, and neither those after it, which may
// have the same context to begin with, nor what those before it have started.
func TestP11CancelIsForOneTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		contexts := make([]context.Context, 3)
		p := pool.New(1, func(ctx context.Context, i int) (int, error) {
			contexts[i] = ctx
			if i == 0 {
				_ = ctx.Done()
			}
			if i == 1 {
				<-ctx.Done()
			}
			return 0, ctx.Err()
		})
		must(must(p.Submit(ctx, 0)).Wait(ctx))
		f := must(p.Submit(ctx, 1))
		synctest.Wait()
		f.Cancel(errRoot)
		if _, err := f.Wait(ctx); err == nil {
			t.Error("not cancelled")
		}
		must(must(p.Submit(ctx, 2)).Wait(ctx))
		for i, c := range contexts {
			if (c.Err() != nil) != (i == 1) {
				t.Errorf("task %d: %v", i, c.Err())
			}
		}
		p.Close()
		for i, c := range contexts {
			if (c.Err() != nil) != (i == 1) {
				t.Errorf("task %d: %v after Close", i, c.Err())
			}
		}
	})
}

// P11: what a task has left behind is not ended by the Cancel of a later task's future, even
// if it has not used the context yet, nor by a late Cancel of its own.
func TestP11CancelLeavesEarlierTasksAlone(t *testing.T) {
	for _, background := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			ctx := context.Background()
			if !background {
				c, cancel := context.WithCancel(ctx)
				defer cancel()
				ctx = c
			}
			var kept context.Context
			p := pool.New(1, func(ctx context.Context, i int) (int, error) {
				if i == 0 {
					kept = ctx
					return 0, nil
				}
				<-ctx.Done()
				return 0, context.Cause(ctx)
			})
			first := must(p.Submit(ctx, 0))
			must(first.Wait(ctx))
			first.Cancel(errRoot)
			second := must(p.Submit(ctx, 1))
			synctest.Wait()
			second.Cancel(errRoot)
			if _, err := second.Wait(ctx); err != errRoot {
				t.Errorf("the second one ended with %v", err)
			}
			if kept.Err() != nil {
				t.Errorf("the first one's context has ended: %v", context.Cause(kept))
			}
			p.Close()
		})
	}
}

// C9, P11: the cause and the error of a task's context are right at once when what it ends
// with has ended, before and after the first call of Done.
func TestP11CauseIsThereAtOnce(t *testing.T) {
	for _, asks := range []bool{false, true} {
		for _, ends := range []string{"submitter", "root", "deadline of the root"} {
			for name, submit := range runs {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancelCause(context.Background())
					root, endRoot := context.WithCancelCause(context.Background())
					under, cause, is := root, errRoot, context.Canceled
					if ends == "deadline of the root" {
						c, cancel := context.WithTimeout(root, time.Hour)
						defer cancel()
						under, cause, is = c, context.DeadlineExceeded, context.DeadlineExceeded
					}
					var kept context.Context
					p := newTailPool(pool.WithContext(under))
					submit(ctx, p)(func(ctx context.Context) error {
						kept = ctx
						if asks {
							_ = ctx.Done()
						}
						return nil
					})
					synctest.Wait()
					switch ends {
					case "submitter":
						cancel(errRoot)
					case "root":
						endRoot(errRoot)
					default:
						time.Sleep(time.Hour)
						<-under.Done()
					}
					if got := context.Cause(kept); got != cause {
						t.Errorf("%s, %s, asks %v: the cause is %v, want %v", name, ends, asks, got, cause)
					}
					if got := kept.Err(); got != is {
						t.Errorf("%s, %s, asks %v: the error is %v, want %v", name, ends, asks, got, is)
					}
					<-kept.Done()
					p.Close()
					cancel(nil)
					endRoot(nil)
				})
			}
		}
	}
}

// P11: a group that fails ends what its tasks have started, one that has been waited for
// does not; the same holds for a walk that is left.
func TestP11WhatFailsEndsWhatItStarted(t *testing.T) {
	for name, run := range map[string]func(p *pool.Pool[int, int]){
		"failed group": func(p *pool.Pool[int, int]) {
			g := p.Group(context.Background())
			accept(g.Go(0))
			accept(g.Go(1))
			g.Wait(context.Background())
		},
		"left walk": func(p *pool.Pool[int, int]) {
			for range p.Map(context.Background(), count(2)) {
				break
			}
		},
		"left results": func(p *pool.Pool[int, int]) {
			g := p.Group(context.Background())
			accept(g.Go(0))
			accept(g.Go(2))
			for range g.Results(context.Background()) {
				break
			}
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			var ctx context.Context
			p := pool.New(1, func(c context.Context, i int) (int, error) {
				if i == 0 {
					ctx = c
				}
				if i == 1 {
					return 0, errRoot
				}
				return 0, nil
			})
			run(p)
			if ctx.Err() == nil {
				t.Errorf("%s: the context has not ended", name)
			}
			p.Close()
		})
	}
}

// P11: tasks of several pools that submit each other make no chain of contexts: the last
// of many costs what the first does, and all end with the first one's submitter.
func TestP11NoChainOfContexts(t *testing.T) {
	for _, how := range []string{"Go", "Submit", "Do", "Group"} {
		synctest.Test(t, func(t *testing.T) {
			const n = 3000
			inner, cancel := context.WithCancelCause(context.Background())
			ctx := &deepContext{Context: inner}
			var last context.Context
			var ps [3]*pool.Pool[int, int]
			for k := range ps {
				ps[k] = pool.New(1, func(ctx context.Context, i int) (int, error) {
					next := ps[(k+1)%len(ps)]
					if i == n {
						last = ctx
						return 0, nil
					}
					switch how {
					case "Go":
						return 0, next.Go(ctx, i+1)
					case "Submit":
						_, err := next.Submit(ctx, i+1)
						return 0, err
					case "Group":
						return 0, next.Go(ctx, i+1)
					default:
						go next.Do(ctx, i+1)
						return 0, nil
					}
				})
			}
			if how == "Group" {
				accept(ps[0].Group(ctx).Go(0))
			} else {
				must0(ps[0].Go(ctx, 0))
			}
			synctest.Wait()
			_ = last.Err()
			if depth := ctx.depth.Load(); depth > 64 {
				t.Errorf("%s: asked at a depth of %d", how, depth)
			}
			cancel(errRoot)
			if context.Cause(last) != errRoot {
				t.Errorf("%s: the cause is %v", how, context.Cause(last))
			}
			for _, p := range ps {
				p.Close()
			}
		})
	}
}

// A deepContext notes how deep the stack is on which it is asked.
type deepContext struct {
	context.Context
	depth atomic.Int64
}

func (c *deepContext) Err() error {
	var pcs [256]uintptr
	if n := int64(runtime.Callers(0, pcs[:])); n > c.depth.Load() {
		c.depth.Store(n)
	}
	return c.Context.Err()
}

// C8, P11: nothing is left at a context that lives longer, of tasks that have asked
// their own for Done, nor of pools that have come and gone.
func TestC8NothingIsLeftAtALongLivedContext(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector uses memory of its own")
	}
	long := t.Context()
	use := func(ctx context.Context) {
		_ = ctx.Done()
		c, cancel := context.WithTimeout(context.WithValue(ctx, keyed{}, 1), time.Hour)
		_ = c.Done()
		cancel()
		stop := context.AfterFunc(ctx, func() {})
		stop()
	}
	task := func(ctx context.Context, _ int) (int, error) { use(ctx); return 0, nil }
	p := pool.New(2, task)
	defer p.Close()
	for name, run := range map[string]func(n int){
		"Go": func(n int) {
			for range n {
				must0(p.Go(context.WithValue(long, keyed{}, 1), 1))
			}
		},
		"Submit": func(n int) {
			for range n {
				must(must(p.Submit(long, 1)).Wait(long))
			}
		},
		"Do": func(n int) {
			for range n {
				must(p.Do(long, 1))
			}
		},
		"Group": func(n int) {
			for range n {
				g := p.Group(long)
				accept(g.Go(1))
				must(g.Wait(context.Background()))
			}
		},
		"Map": func(n int) {
			for range n {
				for range p.Map(long, count(1)) {
				}
			}
		},
		"pools": func(n int) {
			for range n {
				q := pool.New(1, task, pool.WithContext(long))
				must(q.Do(context.Background(), 1))
				must(q.Do(long, 1))
				q.Close()
			}
		},
		"two pools": func(n int) {
			q := pool.New(1, task)
			r := pool.New(1, func(ctx context.Context, _ int) (int, error) { return q.Do(ctx, 1) })
			for range n {
				must(r.Do(long, 1))
				must(must(r.Submit(long, 1)).Wait(long))
			}
			r.Close()
			q.Close()
		},
	} {
		const n = 4_000
		run(n)
		before := min(settledHeap(), settledHeap())
		run(n)
		left := float64(settledHeap()-before) / n
		for try := 0; try < 8 && left > 64; try++ { // a map of what has been there at once does not shrink
			left = float64(settledHeap()-before) / n
		}
		if left > 64 {
			t.Errorf("%s: %.0f bytes are left of each", name, left)
		}
	}
	runtime.KeepAlive(long)
}

// settledHeap returns the size of the heap once cleanups have had their time.
func settledHeap() int64 {
	collect()
	return testkit.Heap()
}

// collect runs the garbage collector, and lets cleanups run.
func collect() {
	for range 2 {
		runtime.GC()
		runtime.Gosched()
	}
}
