//go:build !points

package sched

import (
	"context"
	"sync"
	"sync/atomic"
)

// The types of the engines.
type (
	Uint64         = atomic.Uint64
	Counter        = atomic.Uint64
	Bool           = atomic.Bool
	Pointer[T any] = atomic.Pointer[T]
	Mutex          = sync.Mutex
	RWMutex        = sync.RWMutex
)

// Spins returns n, which is how often a goroutine is to give way to others and look again
// before it parks.
func Spins(n int) int { return n }

// Signal sends on ch, a channel of capacity 1, if there is room. A goroutine that
// parks on ch looks at its condition again after each signal, so one signal that has
// not been received stands for any number of them.
func Signal(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Park waits for a signal.
func Park(signal <-chan struct{}) { <-signal }

// ParkCtx waits for a signal or for the end of ctx.
func ParkCtx(ctx context.Context, signal <-chan struct{}) {
	select {
	case <-signal:
	case <-ctx.Done():
	}
}

// ParkCtxOr waits for a signal, for the end of ctx, or for that of another context, of
// which done is the channel. A nil channel is one of a context that never ends.
func ParkCtxOr(ctx context.Context, signal, done <-chan struct{}) {
	select {
	case <-signal:
	case <-ctx.Done():
	case <-done:
	}
}

// Ended reports whether the context has ended of which done is the channel. It calls no
// method of the context. A nil channel is one of a context that never ends.
func Ended(done <-chan struct{}) bool {
	if done == nil {
		return false
	}
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// Err returns ctx.Err().
func Err(ctx context.Context) error { return ctx.Err() }

// Cancel calls cancel, which ends a context.
func Cancel(cancel func()) { cancel() }

// AfterFunc is context.AfterFunc.
func AfterFunc(ctx context.Context, f func()) (stop func() bool) { return context.AfterFunc(ctx, f) }

// Opaque stands before an operation that others can notice and that this package has
// no shim for. The explorer assumes that it commutes with nothing.
func Opaque(name string) {}
