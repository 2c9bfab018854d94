package pool_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tandemgo/tandem/pool"
)

func square(_ context.Context, n int) (int, error) { return n * n, nil }

// Three workers, a hundred tasks, closed before any result is read: results
// wait for their reader and hold nobody up.
func Example() {
	p := pool.New(3, func(ctx context.Context, n int) (string, error) {
		if n == 13 {
			return "", errors.New("unlucky")
		}
		return fmt.Sprintf("processed %d", n), nil
	})
	g := p.Group(context.Background(), pool.CollectAll())
	for n := range 100 {
		g.Go(n)
	}
	p.Close()

	results, err := g.Wait(context.Background())
	fmt.Println(len(results), results[99])
	fmt.Println("error:", err)
	// Output:
	// 100 processed 99
	// error: task 13: unlucky
}

func ExampleNew() {
	p := pool.New(4, square, pool.WithQueue(64), pool.WithName("squares"))
	defer p.Close()
	v, err := p.Do(context.Background(), 12)
	fmt.Println(v, err)
	// Output: 144 <nil>
}

// Without an error handler, Close returns the errors of tasks given to Go.
func ExamplePool_Go() {
	p := pool.New(2, func(_ context.Context, name string) (struct{}, error) {
		return struct{}{}, fmt.Errorf("cannot mail %s", name)
	})
	if err := p.Go(context.Background(), "ann"); err != nil {
		fmt.Println("not accepted:", err)
	}
	fmt.Println(p.Close())
	// Output: cannot mail ann
}

// The handler is called with the error of each task that no one waits for, and with the
// task's context.
func ExampleWithErrorHandler() {
	type user struct{}
	p := pool.New(2, func(_ context.Context, mail string) (struct{}, error) {
		return struct{}{}, fmt.Errorf("cannot send %q", mail)
	}, pool.WithErrorHandler(func(ctx context.Context, err error) {
		fmt.Println(ctx.Value(user{}), "is told:", err)
	}))
	_ = p.Go(context.WithValue(context.Background(), user{}, "ann"), "welcome")
	fmt.Println(p.Close())
	// Output:
	// ann is told: cannot send "welcome"
	// <nil>
}

func ExamplePool_TryGo() {
	gate := make(chan struct{})
	p := pool.New(1, func(context.Context, int) (int, error) { <-gate; return 0, nil }, pool.WithQueue(1))
	for n := range 3 {
		fmt.Println(p.TryGo(context.Background(), n))
	}
	close(gate)
	p.Close()
	// Output:
	// <nil>
	// <nil>
	// pool: queue is full
}

func ExamplePool_Submit() {
	p := pool.New(2, square)
	defer p.Close()
	ctx := context.Background()
	a, _ := p.Submit(ctx, 3)
	b, _ := p.Submit(ctx, 4)
	x, _ := a.Wait(ctx)
	y, _ := b.Wait(ctx)
	fmt.Println(x + y)
	// Output: 25
}

func ExamplePool_TrySubmit() {
	p := pool.New(1, square)
	p.Close()
	_, err := p.TrySubmit(context.Background(), 1)
	fmt.Println(errors.Is(err, pool.ErrClosed), err)
	// Output: true pool: closed
}

// A task that is cancelled while it waits its turn never runs.
func ExampleFuture_Cancel() {
	gate := make(chan struct{})
	p := pool.New(1, func(_ context.Context, n int) (int, error) { <-gate; return n, nil })
	ctx := context.Background()
	first, _ := p.Submit(ctx, 1)
	second, _ := p.Submit(ctx, 2)
	second.Cancel(errors.New("changed my mind"))
	_, err := second.Wait(ctx)
	fmt.Println(err)
	close(gate)
	fmt.Println(first.Wait(ctx))
	p.Close()
	// Output:
	// not started: changed my mind
	// 1 <nil>
}

func ExampleFuture_Done() {
	p := pool.New(1, square)
	defer p.Close()
	f, _ := p.Submit(context.Background(), 5)
	select {
	case <-f.Done():
		fmt.Println(f.Wait(context.Background()))
	case <-time.After(time.Minute):
		fmt.Println("late")
	}
	// Output: 25 <nil>
}

// Cancelling the context ends running tasks through theirs, and queued ones
// without running them.
func ExamplePool_Do_cancellation() {
	p := pool.New(2, func(ctx context.Context, _ string) (string, error) {
		<-ctx.Done() // a download that never ends, say
		return "", context.Cause(ctx)
	})
	defer p.Close()
	ctx, cancel := context.WithTimeoutCause(context.Background(), time.Millisecond, errors.New("took too long"))
	defer cancel()
	_, err := p.Do(ctx, "https://example.com/endless")
	fmt.Println(err)
	// Output: took too long
}

// The first error ends the group and is the one that Wait returns.
func ExamplePool_Group() {
	p := pool.New(4, func(ctx context.Context, host string) (int, error) {
		if host == "down.example" {
			return 0, errors.New(host + " is down")
		}
		return len(host), nil
	})
	defer p.Close()
	g := p.Group(context.Background())
	for _, host := range []string{"a.example", "bb.example"} {
		g.Go(host)
	}
	fmt.Println(g.Wait(context.Background()))

	g = p.Group(context.Background(), pool.FailFast())
	g.Go("down.example")
	_, err := g.Wait(context.Background())
	fmt.Println(err)
	// Output:
	// [9 10] <nil>
	// task 0: down.example is down
}

// Wait gives up when its context ends, and may be called again.
func ExampleGroup_Wait() {
	gate := make(chan struct{})
	p := pool.New(1, func(_ context.Context, n int) (int, error) { <-gate; return n, nil })
	defer p.Close()
	g := p.Group(context.Background())
	g.Go(7)
	ctx, cancel := context.WithTimeoutCause(context.Background(), time.Millisecond, errors.New("not ready yet"))
	defer cancel()
	_, err := g.Wait(ctx)
	fmt.Println(err)
	close(gate)
	fmt.Println(g.Wait(context.Background()))
	// Output:
	// not ready yet
	// [7] <nil>
}

// A deferred Close ends the tasks of a group on every way out of a function.
func ExampleGroup_Close() {
	p := pool.New(2, func(ctx context.Context, n int) (int, error) {
		if n == 0 {
			return n, nil
		}
		<-ctx.Done() // an answer that never comes
		return 0, context.Cause(ctx)
	})
	defer p.Close()
	first := func(ctx context.Context) (int, error) {
		g := p.Group(ctx, pool.CollectAll())
		defer g.Close() // joins those that are not needed
		for n := range 10 {
			g.Go(n)
		}
		for r, err := range g.Results(ctx) {
			return r.Value, err
		}
		return 0, errors.New("no result")
	}
	fmt.Println(first(context.Background()))
	s := p.Stats()
	fmt.Println("left:", s.Queued+s.Running)
	// Output:
	// 0 <nil>
	// left: 0
}

// At most three of the group's tasks run at once, whatever else the pool does.
func ExampleWithLimit() {
	var now, most atomic.Int64
	p := pool.New(8, func(context.Context, int) (int, error) {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		return 0, nil
	})
	defer p.Close()
	g := p.Group(context.Background(), pool.WithLimit(3))
	for n := range 100 {
		if !g.Go(n) {
			break // the group has failed
		}
	}
	_, err := g.Wait(context.Background())
	fmt.Println(most.Load() <= 3, err)
	// Output: true <nil>
}

// Tasks that add tasks to their group reach it by a field. The queue has no bound, since Go
// would wait inside a task for room.
func ExampleGroup_Go() {
	type page struct {
		path  string
		crawl *pool.Group[*page, int]
	}
	links := map[string][]string{"/": {"/a", "/b"}, "/a": {"/a/1", "/a/2"}}
	p := pool.New(2, func(_ context.Context, at *page) (int, error) {
		for _, link := range links[at.path] {
			at.crawl.Go(&page{link, at.crawl})
		}
		return len(links[at.path]), nil
	}, pool.WithQueue(math.MaxInt))
	defer p.Close()
	g := p.Group(context.Background())
	g.Go(&page{"/", g})
	counts, err := g.Wait(context.Background())
	fmt.Println(len(counts), "pages,", err)
	// Output: 5 pages, <nil>
}

func ExampleGroup_Results() {
	p := pool.New(1, square) // one worker: tasks end in order
	defer p.Close()
	g := p.Group(context.Background(), pool.CollectAll())
	for n := range 4 {
		g.Go(n + 10)
	}
	for r, err := range g.Results(context.Background()) {
		fmt.Println(r.Index, r.Task, r.Value, err)
	}
	// Output:
	// 0 10 100 <nil>
	// 1 11 121 <nil>
	// 2 12 144 <nil>
	// 3 13 169 <nil>
}

func ExamplePool_Map() {
	p := pool.New(8, func(_ context.Context, word string) (string, error) {
		return strings.ToUpper(word), nil
	})
	defer p.Close()
	for v, err := range p.Map(context.Background(), slices.Values([]string{"in", "the", "given", "order"})) {
		fmt.Println(v, err)
	}
	// Output:
	// IN <nil>
	// THE <nil>
	// GIVEN <nil>
	// ORDER <nil>
}

func ExampleUnordered() {
	p := pool.New(8, square)
	defer p.Close()
	sum := 0
	for v := range p.Map(context.Background(), slices.Values([]int{1, 2, 3}), pool.Unordered()) {
		sum += v
	}
	fmt.Println(sum)
	// Output: 14
}

// A task may submit to its own pool and wait for it, also with one worker: what
// is still queued runs in place.
func ExamplePool_Do_nested() {
	var p *pool.Pool[int, int]
	p = pool.New(1, func(ctx context.Context, n int) (int, error) {
		if n < 2 {
			return n, nil
		}
		a, err := p.Do(ctx, n-1)
		if err != nil {
			return 0, err
		}
		b, err := p.Do(ctx, n-2)
		return a + b, err
	})
	defer p.Close()
	fmt.Println(p.Do(context.Background(), 15))
	// Output: 610 <nil>
}

// Close runs everything that was accepted.
func ExamplePool_Close() {
	p := pool.New(2, square)
	for n := range 10 {
		_ = p.Go(context.Background(), n)
	}
	p.Close()
	fmt.Println(p.Stats().Completed, p.Go(context.Background(), 11))
	// Output: 10 pool: closed
}

// Shutdown gives tasks a time limit, then cancels them.
func ExamplePool_Shutdown() {
	started := make(chan struct{}, 2)
	p := pool.New(1, func(ctx context.Context, _ int) (int, error) {
		started <- struct{}{}
		<-ctx.Done()
		return 0, ctx.Err()
	})
	_ = p.Go(context.Background(), 1)
	_ = p.Go(context.Background(), 2)
	<-started // one of them; the other one waits
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	fmt.Println(p.Shutdown(ctx))
	p.Close() // waits for the one that was running
	// Output: pool: Shutdown: 1 tasks still running, 1 cancelled in the queue: context deadline exceeded
}

// Stop returns the tasks that never started. Those that run have until ctx ends.
func ExamplePool_Stop() {
	started, gate := make(chan struct{}), make(chan struct{})
	p := pool.New(1, func(context.Context, string) (int, error) {
		close(started)
		<-gate
		return 0, nil
	})
	for _, job := range []string{"running", "second", "third"} {
		_ = p.Go(context.Background(), job)
	}
	<-started
	time.AfterFunc(time.Millisecond, func() { close(gate) })
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	fmt.Println(p.Stop(ctx))
	// Output: [second third] <nil>
}

// Wait waits for all tasks of a phase. The pool stays open for the next one.
func ExamplePool_Wait() {
	var done atomic.Int64
	p := pool.New(4, func(_ context.Context, n int) (int, error) { done.Add(1); return n, nil })
	defer p.Close()
	for phase := range 2 {
		for n := range 50 {
			_ = p.Go(context.Background(), n)
		}
		err := p.Wait(context.Background())
		fmt.Println("phase", phase, done.Load(), err)
	}
	// Output:
	// phase 0 50 <nil>
	// phase 1 100 <nil>
}

// A pool without workers is paused: it accepts tasks and starts none of them.
func ExamplePool_Resize() {
	p := pool.New(1, square)
	defer p.Close()
	p.Resize(0)
	f, _ := p.Submit(context.Background(), 5)
	fmt.Println("queued", p.Stats().Queued)
	p.Resize(8)
	fmt.Println(f.Wait(context.Background()))
	fmt.Println("limit", p.Stats().Limit)
	// Output:
	// queued 1
	// 25 <nil>
	// limit 8
}

func ExamplePool_Stats() {
	p := pool.New(2, func(_ context.Context, n int) (int, error) {
		if n == 0 {
			return 0, errors.New("zero")
		}
		return n, nil
	})
	for n := range 5 {
		_ = p.Go(context.Background(), n)
	}
	p.Close()
	s := p.Stats()
	fmt.Println(s.Submitted, s.Completed, s.Failed, s.Cancelled)
	// Output: 5 4 1 0
}

// Each worker has state of its own.
func ExampleWorkerID() {
	var buffers [4]strings.Builder // no lock: a worker runs one task at a time
	p := pool.New(len(buffers), func(ctx context.Context, s string) (int, error) {
		id, _ := pool.WorkerID(ctx)
		return buffers[id].WriteString(s)
	})
	for range 100 {
		_ = p.Go(context.Background(), "x")
	}
	p.Close()
	n := 0
	for i := range buffers {
		n += buffers[i].Len()
	}
	fmt.Println(n)
	// Output: 100
}

// A panic is an error with a stack, and costs no worker.
func ExamplePanicError() {
	p := pool.New(1, func(_ context.Context, n int) (int, error) { return 100 / n, nil })
	defer p.Close()
	_, err := p.Do(context.Background(), 0)
	if pe, ok := errors.AsType[*pool.PanicError](err); ok {
		fmt.Println(pe.Value, len(pe.Stack) > 0)
	}
	fmt.Println(p.Do(context.Background(), 7))
	// Output:
	// runtime error: integer divide by zero true
	// 14 <nil>
}

// The changes of one account are made in order, those of different accounts at
// the same time.
func ExampleByKey() {
	type change struct {
		account string
		amount  int
	}
	balance := map[string]*int{"ann": new(int), "bob": new(int)}
	byAccount := pool.ByKey(func(c *change) string { return c.account })
	p := pool.NewOrdered(8, byAccount, func(_ context.Context, c *change) (int, error) {
		*balance[c.account] += c.amount // no lock: one change of an account at a time
		return *balance[c.account], nil
	})
	for n := range 100 {
		_ = p.Go(context.Background(), &change{"ann", n})
		_ = p.Go(context.Background(), &change{"bob", -n})
	}
	p.Close()
	fmt.Println(*balance["ann"], *balance["bob"])
	// Output: 4950 -4950
}

// Pages, for which a person waits, go before reports. A report that has waited for a
// minute goes before the pages that are accepted after that.
func ExampleByPriority() {
	urgency := pool.ByPriority(time.Minute, func(job string) int {
		if strings.HasPrefix(job, "page") {
			return 1
		}
		return 0
	})
	p := pool.NewOrdered(1, urgency, func(_ context.Context, job string) (int, error) {
		fmt.Println(job)
		return 0, nil
	})
	p.Resize(0) // until all of them are there
	for _, job := range []string{"report 1", "page 1", "report 2", "page 2"} {
		_ = p.Go(context.Background(), job)
	}
	p.Close() // ends the pause
	// Output:
	// page 1
	// page 2
	// report 1
	// report 2
}

// An order may have keys and priorities. Within a key, tasks run in the order in which
// they were accepted.
func ExampleOrder_Priority() {
	type job struct {
		user   string
		urgent int
	}
	var order pool.Order[*job] = pool.ByKey(func(j *job) string { return j.user })
	order = order.Priority(time.Minute, func(j *job) int { return j.urgent })
	p := pool.NewOrdered(1, order, func(_ context.Context, j *job) (int, error) {
		fmt.Println(j.user, j.urgent)
		return 0, nil
	})
	p.Resize(0) // until all of them are there
	for _, j := range []*job{{"ann", 0}, {"ann", 9}, {"bob", 1}} {
		_ = p.Go(context.Background(), j)
	}
	p.Close()
	// Output:
	// bob 1
	// ann 0
	// ann 9
}

// Half of the tasks take a millisecond, half of them next to nothing.
func ExampleHistogram() {
	p := pool.New(1, func(_ context.Context, n int) (int, error) {
		if n%2 == 0 {
			time.Sleep(time.Millisecond)
		}
		return n, nil
	})
	for n := range 10 {
		_, _ = p.Do(context.Background(), n)
	}
	p.Close()
	t := p.Stats().RunTime
	fmt.Println(t.Count() > 0, t.Quantile(1) >= time.Millisecond, t.Sum() >= 5*time.Millisecond)
	// Output: true true true
}
