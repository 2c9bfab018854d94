package pooltest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tandemgo/tandem/pool"
)

// Results may be read after Close.
func resultsMayBeReadLate(t *testing.T, newPool Make) {
	p := newPool(t, 3, double)
	var fs []Future
	for n := range 100 {
		f, err := p.Submit(soon(t), n)
		noError(t, err)
		fs = append(fs, f)
	}
	p.Close()
	ended, cancel := context.WithCancel(t.Context())
	cancel() // an available result has priority
	for n, f := range fs {
		if v, err := f.Wait(ended); v != 2*n || err != nil {
			t.Fatalf("task %d: %d, %v", n, v, err)
		}
	}
}

func endedContextSubmitsNothing(t *testing.T, newPool Make) {
	var ran atomic.Int32
	p := newPool(t, 1, func(_ context.Context, n int) (int, error) { ran.Add(1); return n, nil })
	cause := errors.New("no longer wanted")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if err := p.Go(ctx, 1); err != cause {
		t.Errorf("Go: %v", err)
	}
	if f, err := p.Submit(ctx, 1); err != cause || f != nil {
		t.Errorf("Submit: %v, %v", f, err)
	}
	if _, err := p.Do(ctx, 1); err != cause {
		t.Errorf("Do: %v", err)
	}
	if v, err := p.Do(soon(t), 7); v != 7 || err != nil { // after such tasks, if they had been accepted
		t.Errorf("Do = %d, %v", v, err)
	}
	p.Close()
	if ran.Load() != 1 {
		t.Errorf("%d tasks ran, want 1", ran.Load())
	}
}

func waitReturnsTheCause(t *testing.T, newPool Make) {
	gate := make(chan struct{})
	p := newPool(t, 1, func(_ context.Context, n int) (int, error) { <-gate; return n, nil })
	f, err := p.Submit(soon(t), 3)
	noError(t, err)
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	waited := make(chan error, 1)
	go func() {
		_, err := f.Wait(ctx)
		waited <- err
	}()
	cancel(cause)
	if err := receive(t, waited, "that Wait returns"); err != cause {
		t.Errorf("Wait: %v, want %v", err, cause)
	}
	close(gate)
	if v, err := f.Wait(soon(t)); v != 3 || err != nil {
		t.Errorf("the task was affected: %d, %v", v, err)
	}
	p.Close()
}

func closedAcceptsNothing(t *testing.T, newPool Make) {
	p := newPool(t, 2, double)
	if _, err := p.Do(soon(t), 1); err != nil {
		t.Error(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := p.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
	wg.Wait()
	if err := p.Go(soon(t), 1); !errors.Is(err, pool.ErrClosed) {
		t.Errorf("Go: %v", err)
	}
	if _, err := p.Submit(soon(t), 1); !errors.Is(err, pool.ErrClosed) {
		t.Errorf("Submit: %v", err)
	}
	if _, err := p.Do(soon(t), 1); !errors.Is(err, pool.ErrClosed) {
		t.Errorf("Do: %v", err)
	}
	if err := p.Shutdown(soon(t)); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func closeWaitsForWhatRuns(t *testing.T, newPool Make) {
	begun, gate := make(chan struct{}), make(chan struct{})
	var over atomic.Bool
	p := newPool(t, 1, func(_ context.Context, n int) (int, error) {
		if n == 1 {
			close(begun)
			<-gate
			over.Store(true)
		}
		return n, nil
	})
	noError(t, p.Go(soon(t), 1))
	receive(t, begun, "that the task begins")
	closed := make(chan bool, 1)
	go func() {
		p.Close()
		closed <- over.Load()
	}()
	for p.Go(soon(t), 2) == nil {
		// until Close has begun
	}
	close(gate)
	if !receive(t, closed, "that Close returns") {
		t.Error("Close returned before the task was over")
	}
}

func shutdownInsideATaskDoesNotWait(t *testing.T, newPool Make) {
	var p Pool
	ready := make(chan struct{})
	p = newPool(t, 1, func(ctx context.Context, n int) (int, error) {
		<-ready
		if err := p.Shutdown(ctx); !errors.Is(err, pool.ErrInside) {
			t.Errorf("Shutdown: %v, want ErrInside", err)
		}
		if err := p.Go(ctx, 2); !errors.Is(err, pool.ErrClosed) {
			t.Errorf("Go after Shutdown: %v", err)
		}
		return n, nil
	})
	f, err := p.Submit(soon(t), 1)
	noError(t, err)
	close(ready)
	if v, err := f.Wait(soon(t)); v != 1 || err != nil {
		t.Errorf("the task that shut the pool down: %d, %v", v, err)
	}
	p.Close()
}

func shutdownEndsContexts(t *testing.T, newPool Make) {
	begun, causes := make(chan struct{}), make(chan error, 1)
	p := newPool(t, 1, func(ctx context.Context, n int) (int, error) {
		close(begun)
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return 0, context.Cause(ctx)
	})
	noError(t, p.Go(soon(t), 1))
	receive(t, begun, "that the task begins")
	cause := errors.New("time is up")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if err := p.Shutdown(ctx); !errors.Is(err, cause) {
		t.Errorf("Shutdown: %v, want one that wraps %v", err, cause)
	}
	if err := receive(t, causes, "that the task's context ends"); err != cause {
		t.Errorf("the task's context ended with %v, want %v", err, cause)
	}
	p.Close()
}

func shutdownOfAnIdlePool(t *testing.T, newPool Make) {
	p := newPool(t, 1, double)
	if _, err := p.Do(soon(t), 1); err != nil {
		t.Error(err)
	}
	if err := p.Shutdown(soon(t)); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func nilContextPanics(t *testing.T, newPool Make) {
	p := newPool(t, 1, double)
	defer p.Close()
	var none context.Context
	for name, call := range map[string]func(){
		"Go":       func() { _ = p.Go(none, 1) },
		"Submit":   func() { _, _ = p.Submit(none, 1) },
		"Do":       func() { _, _ = p.Do(none, 1) },
		"Shutdown": func() { _ = p.Shutdown(none) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
}
