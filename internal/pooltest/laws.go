package pooltest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pool"
)

func double(_ context.Context, n int) (int, error) { return 2 * n, nil }

func resultAndErrorComeBack(t *testing.T, newPool Make) {
	p := newPool(t, 2, func(_ context.Context, n int) (int, error) {
		if n < 0 {
			return 0, fmt.Errorf("%d is too small", n)
		}
		return 2 * n, nil
	})
	defer p.Close()
	if v, err := p.Do(soon(t), 21); v != 42 || err != nil {
		t.Errorf("Do(21) = %d, %v", v, err)
	}
	if _, err := p.Do(soon(t), -1); err == nil || !strings.Contains(err.Error(), "-1 is too small") {
		t.Errorf("Do(-1): %v", err)
	}
	f, err := p.Submit(soon(t), 4)
	noError(t, err)
	receive(t, f.Done(), "the result of a task")
	for range 2 { // any number of times
		if v, err := f.Wait(soon(t)); v != 8 || err != nil {
			t.Errorf("Wait = %d, %v", v, err)
		}
	}
}

// With one worker, a lost worker would stop the test.
func panicAndGoexitAreErrors(t *testing.T, newPool Make) {
	p := newPool(t, 1, func(_ context.Context, n int) (int, error) {
		switch n % 3 {
		case 1:
			panic(fmt.Sprintf("boom %d", n))
		case 2:
			runtime.Goexit()
		}
		return n, nil
	})
	defer p.Close()
	for n := range 9 {
		v, err := p.Do(soon(t), n)
		switch n % 3 {
		case 0:
			if v != n || err != nil {
				t.Errorf("Do(%d) = %d, %v", n, v, err)
			}
		case 1:
			e, ok := errors.AsType[*pool.PanicError](err)
			if !ok || fmt.Sprint(e.Value) != fmt.Sprintf("boom %d", n) || !strings.Contains(string(e.Stack), "panicAndGoexit") {
				t.Errorf("Do(%d): %v", n, err)
			}
		case 2:
			if !errors.Is(err, pool.ErrGoexit) {
				t.Errorf("Do(%d): %v, want ErrGoexit", n, err)
			}
		}
	}
}

func everyTaskExactlyOnce(t *testing.T, newPool Make) {
	const submitters, each = 4, 100
	ledger := testkit.NewLedger(submitters * each)
	var left sync.WaitGroup
	left.Add(submitters * each)
	p := newPool(t, 3, func(_ context.Context, id int) (int, error) {
		ledger.Note(id)
		left.Done()
		return id, nil
	})
	var wg sync.WaitGroup
	for s := range submitters {
		wg.Go(func() {
			for i := range each {
				id := s*each + i
				if i%2 == 0 {
					if err := p.Go(soon(t), id); err != nil {
						t.Errorf("Go: %v", err)
						left.Done()
					}
				} else if v, err := p.Do(soon(t), id); v != id || err != nil {
					t.Errorf("Do(%d) = %d, %v", id, v, err)
				}
			}
		})
	}
	wg.Wait()
	all := chanOf(left.Wait)
	receive(t, all, "that all tasks run")
	p.Close()
	ledger.ExactlyOnce(t)
}

func chanOf(wait func()) <-chan struct{} {
	ch := make(chan struct{})
	go func() {
		wait()
		close(ch)
	}()
	return ch
}

// The first tasks wait for one another, so all workers have one at once.
func allWorkersAndNoMore(t *testing.T, newPool Make) {
	const workers = 4
	var running testkit.Gauge
	var arrived atomic.Int32
	all := make(chan struct{})
	p := newPool(t, workers, func(ctx context.Context, n int) (int, error) {
		running.Enter()
		defer running.Leave()
		if arrived.Add(1) == workers {
			close(all)
		}
		select {
		case <-all:
			return n, nil
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	})
	var fs []Future
	for n := range 10 * workers {
		f, err := p.Submit(soon(t), n)
		noError(t, err)
		fs = append(fs, f)
	}
	for n, f := range fs {
		if v, err := f.Wait(soon(t)); v != n || err != nil {
			t.Fatalf("task %d: %d, %v", n, v, err)
		}
	}
	p.Close()
	if running.Most() != workers {
		t.Errorf("%d tasks ran at once, want %d", running.Most(), workers)
	}
}

// A task that blocks for ever occupies one worker and delays no other task.
func nothingWaitsBehindATask(t *testing.T, newPool Make) {
	begun, gate := make(chan struct{}), make(chan struct{})
	p := newPool(t, 2, func(_ context.Context, n int) (int, error) {
		if n == 0 {
			close(begun)
			<-gate
		}
		return n, nil
	})
	slow, err := p.Submit(soon(t), 0)
	noError(t, err)
	receive(t, begun, "that the slow task begins")
	for n := 1; n <= 30; n++ {
		if v, err := p.Do(soon(t), n); v != n || err != nil {
			t.Fatalf("Do(%d) = %d, %v", n, v, err)
		}
	}
	select {
	case <-slow.Done():
		t.Error("the slow task has ended: the test shows nothing")
	default:
	}
	close(gate)
	if _, err := slow.Wait(soon(t)); err != nil {
		t.Error(err)
	}
	p.Close()
}
