package natsserver

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// MaxWait is the longest wait for an expected event.
const MaxWait = 30 * time.Second

var names atomic.Int64

// NewName returns an unused name.
func NewName(tb testing.TB) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, tb.Name())
	return fmt.Sprintf("%s-%d", name[:min(len(name), 40)], names.Add(1))
}

// JetStream returns JetStream on a new connection to url.
func JetStream(tb testing.TB, url string) jetstream.JetStream {
	tb.Helper()
	js, err := jetstream.New(Connect(tb, url))
	if err != nil {
		tb.Fatal(err)
	}
	return js
}

// Soon returns a context that ends after MaxWait.
func Soon(tb testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), MaxWait)
	tb.Cleanup(cancel)
	return ctx
}

// Until waits until cond returns true.
func Until(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ctx := Soon(tb); !cond(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatalf("it does not happen: %s", what)
		}
	}
}

// Receive returns a value from ch.
func Receive[T any](tb testing.TB, ch <-chan T, what string) (v T) {
	tb.Helper()
	select {
	case v = <-ch:
	case <-Soon(tb).Done():
		tb.Fatalf("it does not happen: %s", what)
	}
	return v
}
