package fan_test

import (
	"context"
	"sync"
	"testing"

	"github.com/tandemgo/tandem/fan"
	"github.com/tandemgo/tandem/internal/testkit"
)

// Whoever asks the context of a Map for its end first, all calls get the same.
func TestCallsShareOneDone(t *testing.T) {
	testkit.Watchdog(t, func() {
		const n = 4
		for range 200 {
			var met sync.WaitGroup // all calls are at work at once
			met.Add(n)
			dones, err := fan.Map(t.Context(), n, numbers(n), func(ctx context.Context, _ int) (<-chan struct{}, error) {
				met.Done()
				met.Wait()
				return ctx.Done(), nil
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

// Who keeps the context of a Map sees its end, also one who asks for it only as
// the Map returns.
func TestKeptContextEnds(t *testing.T) {
	testkit.Watchdog(t, func() {
		var wg sync.WaitGroup
		for range 500 {
			_, _ = fan.Map(t.Context(), 1, numbers(1), func(ctx context.Context, _ int) (int, error) {
				wg.Go(func() { <-ctx.Done() })
				return 0, nil
			})
		}
		wg.Wait()
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
			if _, ok := err.(errNumber); !ok {
				t.Fatalf("it returned %v", err)
			}
			if cause := context.Cause(ctxs[0]); cause != err {
				t.Fatalf("it returned %d, and the cause of the context is %v", err, cause)
			}
		}
	})
}

// errNumber is an error of its own for each number.
type errNumber int

func (e errNumber) Error() string { return "failed" }
