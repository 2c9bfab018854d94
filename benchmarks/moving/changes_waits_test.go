package moving_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gammazero/workerpool"
	"github.com/panjf2000/ants/v2"
	"golang.org/x/time/rate"

	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/ratelimit"
)

// The tests check the statements of the guides about waits and ends, on both sides.

// turns returns when the second of two waiters at a limiter of one permit a second is
// served. After half a second, do is called with a function that makes the first waiter
// give up.
func turns(t *testing.T, wait func(context.Context) error, do func(giveUp func())) time.Duration {
	t.Helper()
	start := time.Now()
	if err := wait(t.Context()); err != nil { // the burst
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { _ = wait(ctx) })
	synctest.Wait()
	var served time.Duration
	wg.Go(func() {
		if err := wait(t.Context()); err != nil {
			t.Error(err)
		}
		served = time.Since(start)
	})
	time.Sleep(time.Second / 2) // of the bubble
	do(cancel)
	wg.Wait()
	return served
}

// A waiter behind one that gives up moves up here, and keeps its instant in x/time.
func TestWhoWaitsMovesUp(t *testing.T) {
	giveUp := func(cancel func()) { cancel() }
	synctest.Test(t, func(t *testing.T) {
		if at := turns(t, rate.NewLimiter(1, 1).Wait, giveUp); at != 2*time.Second {
			t.Errorf("x/time/rate: served after %v", at)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		if at := turns(t, ratelimit.New(ratelimit.Per(1, time.Second), 1).Wait, giveUp); at != time.Second {
			t.Errorf("ratelimit: served after %v", at)
		}
	})
}

// A waiter is served at a new rate here, and keeps its instant in x/time.
func TestWhoWaitsSeesANewRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := rate.NewLimiter(1, 1)
		if at := turns(t, l.Wait, func(func()) { l.SetLimit(1000) }); at != 2*time.Second {
			t.Errorf("x/time/rate: served after %v", at)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Per(1, time.Second), 1)
		at := turns(t, l.Wait, func(func()) { l.SetRate(ratelimit.Per(1000, time.Second)) })
		if at >= time.Second {
			t.Errorf("ratelimit: served after %v", at)
		}
	})
}

// Both report a deadline that is too early at once; here the error has a type.
func TestATooEarlyDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		theirs, ours := rate.NewLimiter(rate.Every(time.Hour), 1), ratelimit.New(ratelimit.Every(time.Hour), 1)
		start := time.Now()
		if err := errors.Join(theirs.Wait(ctx), ours.Wait(ctx)); err != nil {
			t.Fatal(err)
		}
		if err := theirs.Wait(ctx); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("x/time/rate: %v", err)
		}
		if err := ours.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ratelimit: %v", err)
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("it took %v", waited)
		}
	})
}

// The queue of workerpool is unbounded. Here a submission waits, and the end of its
// context ends the wait.
func TestAFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		wp := workerpool.New(1)
		for range 5000 {
			wp.Submit(func() { <-gate })
		}
		p := pool.New(1, func(context.Context, int) (int, error) { <-gate; return 0, nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		accepted := 0
		for i := range 5000 {
			if err := p.Go(ctx, i); err != nil {
				break
			}
			accepted++
		}
		if accepted != 1025 { // the worker's, and those of the queue
			t.Errorf("pool: %d are accepted", accepted)
		}
		close(gate)
		wp.StopWait()
		p.Close()
	})
}

// Release of ants returns while a task runs. Close waits for it.
func TestRelease(t *testing.T) {
	gate := make(chan struct{})
	ap, err := ants.NewPool(1)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Add(1)
	if err := ap.Submit(func() { <-gate; wg.Done() }); err != nil {
		t.Fatal(err)
	}
	ap.Release() // returns although the gate is shut
	close(gate)
	wg.Wait()

	synctest.Test(t, func(t *testing.T) {
		gate, closed := make(chan struct{}), false
		p := pool.New(1, func(context.Context, int) (int, error) { <-gate; return 0, nil })
		if err := p.Go(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			closed = true
		})
		synctest.Wait()
		if closed {
			t.Error("pool: Close does not wait for a task")
		}
		close(gate)
		wg.Wait()
	})
}

// A size of 0 means no limit in ants. Here it panics.
func TestASizeOfZero(t *testing.T) {
	ap, err := ants.NewPool(0)
	if err != nil || ap.Cap() != -1 {
		t.Fatalf("ants: %v", err)
	}
	defer ap.Release()
	defer func() {
		if recover() == nil {
			t.Error("pool: there is no panic")
		}
	}()
	pool.New(0, func(context.Context, int) (int, error) { return 0, nil })
}
