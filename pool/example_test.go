package pool_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
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
		if err := g.Go(n); err != nil {
			fmt.Println(err)
		}
	}
	p.Close()

	results, err := g.Wait()
	fmt.Println(len(results), results[99])
	fmt.Println("error:", err)
	// Output:
	// 100 processed 99
	// error: unlucky
}

func ExampleNew() {
	p := pool.New(4, square, pool.WithQueue(64), pool.WithName("squares"))
	defer p.Close()
	v, err := p.Do(context.Background(), 12)
	fmt.Println(v, err)
	// Output: 144 <nil>
}

func ExamplePool_Go() {
	p := pool.New(2, func(_ context.Context, name string) (struct{}, error) {
		return struct{}{}, fmt.Errorf("cannot mail %s", name)
	}, pool.WithErrorHandler(func(err error) { fmt.Println(err) }))
	if err := p.Go(context.Background(), "ann"); err != nil {
		fmt.Println("not accepted:", err)
	}
	p.Close()
	// Output: cannot mail ann
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
	// changed my mind
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
		_ = g.Go(host)
	}
	fmt.Println(g.Wait())

	g = p.Group(context.Background(), pool.FailFast())
	_ = g.Go("down.example")
	_, err := g.Wait()
	fmt.Println(err)
	// Output:
	// [9 10] <nil>
	// down.example is down
}

func ExampleGroup_Results() {
	p := pool.New(1, square) // one worker: tasks end in order
	defer p.Close()
	g := p.Group(context.Background(), pool.CollectAll())
	for n := range 4 {
		_ = g.Go(n + 10)
	}
	for i, r := range g.Results() {
		fmt.Println(i, r.Value, r.Err)
	}
	// Output:
	// 0 100 <nil>
	// 1 121 <nil>
	// 2 144 <nil>
	// 3 169 <nil>
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
	// Output: pool: shutdown: 1 tasks still running, 1 cancelled in the queue: context deadline exceeded
}

// Stop hands back what never started.
func ExamplePool_Stop() {
	started := make(chan struct{})
	p := pool.New(1, func(ctx context.Context, _ string) (int, error) {
		close(started)
		<-ctx.Done()
		return 0, context.Cause(ctx)
	})
	for _, job := range []string{"running", "second", "third"} {
		_ = p.Go(context.Background(), job)
	}
	<-started
	fmt.Println(p.Stop())
	// Output: [second third]
}

func ExamplePool_Resize() {
	p := pool.New(1, square)
	defer p.Close()
	p.Resize(8)
	fmt.Println(p.Stats().Limit)
	// Output: 8
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
	p := pool.New(1, func(_ context.Context, xs []int) (int, error) { return xs[0], nil })
	defer p.Close()
	_, err := p.Do(context.Background(), nil)
	if pe, ok := errors.AsType[*pool.PanicError](err); ok {
		fmt.Println(pe.Value, len(pe.Stack) > 0)
	}
	fmt.Println(p.Do(context.Background(), []int{7}))
	// Output:
	// runtime error: index out of range [0] with length 0 true
	// 7 <nil>
}

// The changes of one account are made in order, those of different accounts at
// the same time.
func ExampleWithKey() {
	type change struct {
		account string
		amount  int
	}
	balance := map[string]*int{"ann": new(int), "bob": new(int)}
	p := pool.New(8, func(_ context.Context, c change) (int, error) {
		*balance[c.account] += c.amount // no lock: one change of an account at a time
		return *balance[c.account], nil
	}, pool.WithKey(func(c change) string { return c.account }))
	for n := range 100 {
		_ = p.Go(context.Background(), change{"ann", n})
		_ = p.Go(context.Background(), change{"bob", -n})
	}
	p.Close()
	fmt.Println(*balance["ann"], *balance["bob"])
	// Output: 4950 -4950
}

// What a person waits for goes before what nobody waits for, but one that has
// waited for a minute is as urgent as a step more of priority.
func ExampleWithPriority() {
	gate := make(chan struct{})
	p := pool.New(1, func(_ context.Context, job string) (int, error) {
		if job == "first" {
			<-gate
		}
		fmt.Println(job)
		return 0, nil
	}, pool.WithPriority(time.Minute, func(job string) int {
		if strings.HasPrefix(job, "page") {
			return 1
		}
		return 0
	}))
	for _, job := range []string{"first", "report 1", "page 1", "report 2", "page 2"} {
		_ = p.Go(context.Background(), job)
		for job == "first" && p.Stats().Running == 0 { // it has to be the first, to hold the others
			runtime.Gosched()
		}
	}
	close(gate)
	p.Close()
	// Output:
	// first
	// page 1
	// page 2
	// report 1
	// report 2
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
	fmt.Println(t.Count() > 0, t.Quantile(1) >= time.Millisecond)
	// Output: true true
}
