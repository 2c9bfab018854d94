package pool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/tandemgo/tandem/pool"
)

// What every task needs is put around the function: here a time limit for each.
func ExampleFunc() {
	atMost := func(d time.Duration, fn pool.Func[string, string]) pool.Func[string, string] {
		return func(ctx context.Context, task string) (string, error) {
			ctx, cancel := context.WithTimeoutCause(ctx, d, fmt.Errorf("%s took longer than %v", task, d))
			defer cancel()
			return fn(ctx, task)
		}
	}
	p := pool.New(2, atMost(time.Millisecond, func(ctx context.Context, task string) (string, error) {
		<-ctx.Done() // an answer that never comes
		return "", context.Cause(ctx)
	}))
	defer p.Close()
	_, err := p.Do(context.Background(), "report")
	fmt.Println(err)
	// Output: report took longer than 1ms
}

// A full queue is the sign of an overload: it is better to say so at once than to
// let everybody wait.
func ExampleErrQueueFull() {
	gate := make(chan struct{})
	p := pool.New(1, func(context.Context, string) (int, error) { <-gate; return 0, nil }, pool.WithQueue(0))
	for _, user := range []string{"ann", "bob"} {
		switch err := p.TryGo(context.Background(), user); {
		case errors.Is(err, pool.ErrQueueFull):
			fmt.Println(user, "is asked to come back later")
		case err == nil:
			fmt.Println(user, "is served")
		}
	}
	close(gate)
	p.Close()
	// Output:
	// ann is served
	// bob is asked to come back later
}

// A task that ends its goroutine, as t.FailNow does in a test, has an error like
// any other, and costs no worker.
func ExampleErrGoexit() {
	p := pool.New(1, func(_ context.Context, n int) (int, error) {
		if n < 0 {
			runtime.Goexit()
		}
		return n, nil
	})
	defer p.Close()
	_, err := p.Do(context.Background(), -1)
	fmt.Println(errors.Is(err, pool.ErrGoexit))
	fmt.Println(p.Do(context.Background(), 1))
	// Output:
	// true
	// 1 <nil>
}

// What never started matches ErrNotStarted and the reason.
func ExampleErrNotStarted() {
	p := pool.New(1, square)
	p.Resize(0)
	f, _ := p.Submit(context.Background(), 5)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	left, _ := p.Stop(ctx)
	_, err := f.Wait(ctx)
	fmt.Println(left, err)
	fmt.Println(errors.Is(err, pool.ErrNotStarted), errors.Is(err, pool.ErrClosed))
	// Output:
	// [5] not started: pool: closed
	// true true
}

// A task may end its pool by Shutdown, which cannot wait there.
func ExampleErrInside() {
	var p *pool.Pool[string, int]
	p = pool.New(1, func(ctx context.Context, task string) (int, error) {
		if task == "last" {
			fmt.Println(p.Shutdown(ctx))
		}
		return 0, nil
	})
	f, _ := p.Submit(context.Background(), "last")
	_, _ = f.Wait(context.Background())
	fmt.Println(p.Go(context.Background(), "another"))
	fmt.Println(p.Close()) // waits
	// Output:
	// pool: called inside a task of the same pool
	// pool: closed
	// <nil>
}

// The error of a task of a group or a walk says which one it was.
func ExampleTaskError() {
	files := []string{"a.txt", "b.txt", "c.txt"}
	p := pool.New(2, func(_ context.Context, name string) (int, error) {
		if name == "b.txt" {
			return 0, errors.New("permission denied")
		}
		return len(name), nil
	})
	defer p.Close()
	g := p.Group(context.Background())
	for _, name := range files {
		g.Go(name)
	}
	_, err := g.Wait(context.Background())
	if te, ok := errors.AsType[*pool.TaskError](err); ok {
		fmt.Println(files[te.Index], te.Err)
	}
	// Output: b.txt permission denied
}

// During development, a panic is better seen as a crash with its own stack.
func ExampleCrashOnPanic() {
	var opts []pool.Option
	if os.Getenv("APP_ENV") == "development" {
		opts = append(opts, pool.CrashOnPanic())
	}
	p := pool.New(1, func(_ context.Context, n int) (int, error) { return 100 / n, nil }, opts...)
	defer p.Close()
	_, err := p.Do(context.Background(), 0)
	_, panicked := errors.AsType[*pool.PanicError](err)
	fmt.Println(panicked)
	// Output: true
}

// A pool that ends with a context, such as that of the whole program: running
// tasks are cancelled, and nothing more is accepted.
func ExampleWithContext() {
	program, stop := context.WithCancelCause(context.Background())
	running := make(chan struct{})
	p := pool.New(1, func(ctx context.Context, _ string) (string, error) {
		close(running)
		<-ctx.Done()
		return "", context.Cause(ctx)
	}, pool.WithContext(program))
	f, _ := p.Submit(context.Background(), "endless")
	<-running
	stop(errors.New("interrupted"))
	_, err := f.Wait(context.Background())
	fmt.Println(err)
	p.Close()
	err = p.Go(context.Background(), "late")
	fmt.Println(errors.Is(err, pool.ErrClosed), err)
	// Output:
	// interrupted
	// true pool: closed: interrupted
}

// A worker that has nothing to do ends, and its state with it. One that stays
// saves the next task from making it again.
func ExampleWithMinWorkers() {
	opened := 0
	p := pool.NewStateful(1,
		func(context.Context) (string, error) { opened++; return "connection", nil },
		func(_ context.Context, conn string, query string) (string, error) { return query + " by " + conn, nil },
		func(string) error { return nil },
		pool.WithMinWorkers(1), pool.WithIdleTimeout(0)) // others end as soon as they are idle
	for range 3 {
		fmt.Println(p.Do(context.Background(), "select"))
	}
	p.Close()
	fmt.Println("opened", opened)
	// Output:
	// select by connection <nil>
	// select by connection <nil>
	// select by connection <nil>
	// opened 1
}

// The buckets of a histogram, for a monitoring system: a bound, and how many tasks
// took no longer than that and longer than the bound before.
func ExampleHistogram_All() {
	p := pool.New(2, square)
	for n := range 100 {
		_ = p.Go(context.Background(), n)
	}
	p.Close()
	var last time.Duration
	var count uint64
	waited := p.Stats().QueueWait
	for bound, tasks := range waited.All() {
		if bound <= last || tasks == 0 {
			fmt.Println("out of order or empty:", bound, tasks)
		}
		last, count = bound, count+tasks
	}
	fmt.Println(count == waited.Count())
	// Output: true
}
