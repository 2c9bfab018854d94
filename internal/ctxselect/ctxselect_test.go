package ctxselect_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

var errGone = errors.New("gone")

// C2: an ended context is preferred to a channel that is ready, always.
func TestEndedContextIsPreferred(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errGone)
	ch := make(chan int, 1000)
	for i := range 100 {
		if err := ctxselect.Send(ctx, ch, i); err != errGone {
			t.Fatalf("Send: %v", err)
		}
		ch <- i
		if v, ok, err := ctxselect.Recv(ctx, ch); v != 0 || ok || err != errGone {
			t.Fatalf("Recv: %d, %v, %v", v, ok, err)
		}
	}
	for range ctxselect.OrDone(ctx, ch) {
		t.Error("OrDone gave a value")
	}
	if err := ctxselect.Drain(ctx, ch); err != errGone || len(ch) != 100 {
		t.Errorf("Drain: %v, %d left", err, len(ch))
	}
}

// C2: while they wait, all return the cause; C7: durably blocked.
func TestCauseWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := make(chan int)
		calls := map[string]func(context.Context) error{
			"Send":  func(ctx context.Context) error { return ctxselect.Send(ctx, never, 1) },
			"Recv":  func(ctx context.Context) error { _, _, err := ctxselect.Recv(ctx, never); return err },
			"Drain": func(ctx context.Context) error { return ctxselect.Drain(ctx, never) },
			"OrDone": func(ctx context.Context) error {
				for range ctxselect.OrDone(ctx, never) {
				}
				return context.Cause(ctx)
			},
		}
		for name, call := range calls {
			ctx, cancel := context.WithCancelCause(t.Context())
			start := time.Now()
			time.AfterFunc(time.Hour, func() { cancel(errGone) })
			if err := call(ctx); err != errGone || time.Since(start) != time.Hour {
				t.Errorf("%s: %v after %v", name, err, time.Since(start))
			}
		}
	})
}

func TestValuesPass(t *testing.T) {
	ch := make(chan int, 5)
	for i := range 5 {
		if err := ctxselect.Send(t.Context(), ch, i); err != nil {
			t.Error(err)
		}
	}
	close(ch)
	if v, ok, err := ctxselect.Recv(t.Context(), ch); v != 0 || !ok || err != nil {
		t.Errorf("Recv: %d, %v, %v", v, ok, err)
	}
	for v := range ctxselect.OrDone(t.Context(), ch) {
		if v == 2 {
			break
		}
	}
	if got := slices.Collect(ctxselect.OrDone(t.Context(), ch)); !slices.Equal(got, []int{3, 4}) {
		t.Errorf("OrDone: %v", got)
	}
	if err := ctxselect.Drain(t.Context(), ch); err != nil {
		t.Errorf("Drain of a closed channel: %v", err)
	}
}

func TestRequire(t *testing.T) {
	defer func() {
		if r := recover(); r != "pool: Go: context must not be nil" {
			t.Errorf("recovered %v", r)
		}
	}()
	ctxselect.Require(t.Context(), "pool: Go")
	var none context.Context
	ctxselect.Require(none, "pool: Go")
}
