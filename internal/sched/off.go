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

// Spins returns n, the number of times that a goroutine yields and checks its condition
// again before it parks.
func Spins(n int) int { return n }

// Signal sends on ch, a channel of capacity 1, if it has room. A goroutine that parks
// on ch checks its condition again after each signal, so a second signal before that
// has no effect.
func Signal(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Close closes signal, an unbuffered channel, and so wakes all goroutines that park on it.
func Close(signal chan struct{}) { close(signal) }

// End closes done, a channel that is given to [ParkCtxOr] in place of that of a context.
func End(done chan struct{}) { close(done) }

// Park waits for a signal.
func Park(signal <-chan struct{}) { <-signal }

// ParkCtx waits for a signal or for the end of ctx.
func ParkCtx(ctx context.Context, signal <-chan struct{}) {
	select {
	case <-signal:
	case <-ctx.Done():
	}
}

// ParkCtxOr waits for a signal, for the end of ctx, or for the end of another context,
// whose channel is done, or one that is closed by [End]. A nil channel belongs to a context that never ends.
func ParkCtxOr(ctx context.Context, signal, done <-chan struct{}) {
	select {
	case <-signal:
	case <-ctx.Done():
	case <-done:
	}
}

// Ended reports whether the context with the channel done has ended. It calls no method
// of the context. A nil channel belongs to a context that never ends.
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

// Cancel calls cancel, the cancel function of a context.
func Cancel(cancel func()) { cancel() }

// AfterFunc is context.AfterFunc.
func AfterFunc(ctx context.Context, f func()) (stop func() bool) { return context.AfterFunc(ctx, f) }

// Opaque precedes an operation that other goroutines can observe and that has no shim
// in this package. The explorer assumes that it commutes with no operation.
func Opaque(name string) {}
