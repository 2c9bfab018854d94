package spsc_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/tandemgo/tandem/internal/spsc"
)

// Wake makes both ends see that their contexts have ended.
func TestWakeWakesBothEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		full, empty := spsc.New[int](0), spsc.New[int](0)
		full.TryPush(0)
		errs := make(chan error, 2)
		go func() { errs <- full.Push(ctx, 1) }()
		go func() {
			_, _, err := empty.Pop(ctx)
			errs <- err
		}()
		synctest.Wait() // both are parked
		cancel(cause)
		full.Wake()
		empty.Wake()
		for range 2 {
			if err := <-errs; err != cause {
				t.Errorf("got %v", err)
			}
		}
	})
}

// An end does not park when Wake has been called already.
func TestNoParkingAfterWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		full, empty := spsc.New[int](0), spsc.New[int](0)
		full.TryPush(0)
		if err := full.Push(ctx, 1); err != cause {
			t.Errorf("send: %v", err)
		}
		if _, ok, err := empty.Pop(ctx); ok || err != cause {
			t.Errorf("receive: %v, %v", ok, err)
		}
	})
}
