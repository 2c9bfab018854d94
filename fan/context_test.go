package fan_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandemgo/tandem/fan"
	"github.com/tandemgo/tandem/internal/testkit"
)

// All calls of a Map get the same channel from Done, in whatever order they ask for it.
func TestCallsShareOneDone(t *testing.T) {
	testkit.Watchdog(t, func() {
		const n = 4
		for range 200 {
			var met sync.WaitGroup // all calls are at work at once
			met.Add(n)
			var dones [n]<-chan struct{}
			_, err := fan.Map(t.Context(), n, numbers(n), func(ctx context.Context, i int) (int, error) {
				met.Done()
				met.Wait()
				dones[i] = ctx.Done()
				return i, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, done := range dones {
				if done != dones[0] {
					t.Fatal("two calls of a Map wait for different ends")
				}
			}
		}
	})
}

// A context of a Map that is kept ends with the Map, whichever of its methods is called, and when.
func TestKeptContextEnds(t *testing.T) {
	testkit.Watchdog(t, func() {
		var wg sync.WaitGroup
		for i := range 1000 {
			_, _ = fan.Map(t.Context(), 1, numbers(1), func(ctx context.Context, _ int) (int, error) {
				wg.Go(func() {
					for i%2 == 0 && ctx.Err() == nil {
						runtime.Gosched()
					}
					<-ctx.Done()
				})
				return 0, nil
			})
		}
		wg.Wait()
		var kept context.Context
		for _, cause := range []func() error{func() error { return kept.Err() }, func() error { return context.Cause(kept) }} {
			_, _ = fan.Map(t.Context(), 1, numbers(1), func(ctx context.Context, _ int) (int, error) { kept = ctx; return 0, nil })
			if err := cause(); err != context.Canceled {
				t.Errorf("after the Map: %v, want %v", err, context.Canceled)
			}
		}
	})
}

// Of several errors that come at once, one is returned, and the same one is the
// cause of the context of all.
func TestErrorsAtOnce(t *testing.T) {
	testkit.Watchdog(t, func() {
		const n = 4
		for range 200 {
			var met sync.WaitGroup
			met.Add(n)
			var ctxs [n]context.Context
			err := fan.ForEach(t.Context(), n, count(n), func(ctx context.Context, v int) error {
				ctxs[v] = ctx
				met.Done()
				met.Wait()
				return errNumber(v)
			})
			if _, ok := errors.AsType[errNumber](err); !ok {
				t.Fatalf("it returned %v", err)
			}
			if cause := context.Cause(ctxs[0]); cause != err {
				t.Fatalf("it returned %v, and the cause of the context is %v", err, cause)
			}
		}
	})
}

// So it is with Map.
func TestErrorsOfMapAtOnce(t *testing.T) {
	testkit.Watchdog(t, func() {
		const n = 4
		for range 200 {
			var met sync.WaitGroup
			met.Add(n)
			var inner context.Context
			_, err := fan.Map(t.Context(), n, numbers(n), func(ctx context.Context, v int) (int, error) {
				if v == 0 {
					inner = ctx
				}
				met.Done()
				met.Wait()
				return 0, errNumber(v)
			})
			if _, ok := errors.AsType[errNumber](err); !ok {
				t.Fatalf("it returned %v", err)
			}
			if cause := context.Cause(inner); cause != err {
				t.Fatalf("it returned %v, and the cause of the context is %v", err, cause)
			}
		}
	})
}

// A Map may end at the very moment at which others join: no goroutine waits for them, or
// for the end of its context, then.
func TestMapEndsAsOthersJoin(t *testing.T) {
	rounds := 4000
	if runtime.GOOS == "windows" { // its clock may stand still for 15 ms, and each call waits until it moves
		rounds = 100
	}
	testkit.Watchdog(t, func() {
		ctx, cancel := context.WithCancel(t.Context()) // not before all Maps have returned
		defer cancel()
		for i := range rounds {
			calls := testkit.NewLedger(4)
			work := time.Duration(i%40) * time.Microsecond / 4 // 0 to 40 µs in all: others join after 20
			_, err := fan.Map(ctx, 2, numbers(4), func(_ context.Context, v int) (int, error) {
				calls.Note(v)
				for begun := time.Now(); time.Since(begun) < work; {
				}
				return v, nil
			})
			if calls.ExactlyOnce(t); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A foreignContext ends when the test says so, and does not close Done.
type foreignContext struct {
	context.Context
	ended atomic.Bool
}

func (c *foreignContext) Err() error {
	if c.ended.Load() {
		return errCaller
	}
	return nil
}

var errCaller = errors.New("the caller has ended")

// C2: an error that follows from the end of the caller's context is its cause, also if
// the context of the calls has not ended for it, or not yet.
func TestC2AForeignContext(t *testing.T) {
	ctx := &foreignContext{Context: context.Background()}
	err := fan.ForEach(ctx, 1, count(1), func(context.Context, int) error {
		ctx.ended.Store(true)
		return fmt.Errorf("wrapped: %w", context.Canceled)
	})
	if !errors.Is(err, errCaller) {
		t.Errorf("got %v", err)
	}
}

// errNumber is an error of its own for each number.
type errNumber int

func (e errNumber) Error() string { return "failed" }
