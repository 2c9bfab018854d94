//go:build points

package sched

import (
	"context"
	"unsafe"
)

// contexts is the object of all operations on contexts, since the contexts that end
// with a cancelled one are unknown.
var contexts byte

func object[C any](ch C) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&ch)) }

// Spins returns n, the number of times that a goroutine yields and checks its condition
// again before it parks. With a hook it returns 0, since the explorer tries those
// orders anyway.
func Spins(n int) int {
	if Attached() {
		return 0
	}
	return n
}

// Signal sends on ch, a channel of capacity 1, if there is room.
func Signal(ch chan<- struct{}) {
	access(object(ch), Write, "Signal")
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Close closes signal, an unbuffered channel, and so wakes all goroutines that park on it.
func Close(signal chan struct{}) {
	access(object(signal), Write, "Close")
	close(signal)
}

// Park waits for a signal.
func Park(signal <-chan struct{}) {
	if !Attached() {
		giveWay()
		<-signal
		return
	}
	await(1, &Op{
		Name:  "Park",
		Ways:  []Access{{object(signal), Acquire}},
		Ready: func(int) bool { return len(signal) > 0 },
	})
	<-signal
}

// End closes done, a channel that is given to [ParkCtxOr] in place of that of a context.
func End(done chan struct{}) {
	access(unsafe.Pointer(&contexts), Write, "End")
	close(done)
}

// ParkCtx waits for a signal or for the end of ctx.
func ParkCtx(ctx context.Context, signal <-chan struct{}) { park(signal, ctx.Done(), nil) }

// ParkCtxOr waits for a signal, for the end of ctx, or for the end of another context,
// whose channel is done. A nil channel belongs to a context that never ends.
func ParkCtxOr(ctx context.Context, signal, done <-chan struct{}) { park(signal, ctx.Done(), done) }

func park(signal, done, other <-chan struct{}) {
	if !Attached() {
		giveWay()
		wait(signal, done, other)
		return
	}
	op := &Op{
		Name: "Park",
		Ways: []Access{{object(signal), Acquire}, {unsafe.Pointer(&contexts), Read}},
		Ready: func(way int) bool {
			if way == 0 {
				return len(signal) > 0 || cap(signal) == 0 && isClosed(signal)
			}
			return isClosed(done) || isClosed(other)
		},
	}
	if await(2, op) {
		switch op.Way {
		case 0:
			<-signal
			return
		case 1:
			return
		}
	}
	wait(signal, done, other) // the hook has released the operation without a choice
}

func wait(signal, done, other <-chan struct{}) {
	select {
	case <-signal:
	case <-done:
	case <-other:
	}
}

// isClosed reports whether the channel of a context is closed. It may be nil.
func isClosed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// Ended reports whether the context with the channel done has ended.
func Ended(done <-chan struct{}) bool {
	if done == nil {
		return false
	}
	access(unsafe.Pointer(&contexts), Read, "Ended")
	return isClosed(done)
}

// Err returns ctx.Err().
//
// It does not call ctx.Done, which may make a channel. Such a channel would belong to a
// bubble of testing/synctest even if ctx does not.
func Err(ctx context.Context) error {
	access(unsafe.Pointer(&contexts), Read, "Err")
	return ctx.Err()
}

// Cancel calls cancel, the cancel function of a context.
func Cancel(cancel func()) {
	access(unsafe.Pointer(&contexts), Write, "Cancel")
	cancel()
}

// AfterFunc is context.AfterFunc.
func AfterFunc(ctx context.Context, f func()) (stop func() bool) {
	access(unsafe.Pointer(&contexts), Write, "AfterFunc")
	stopFunc := context.AfterFunc(ctx, f)
	return func() bool {
		access(unsafe.Pointer(&contexts), Write, "stop of AfterFunc")
		return stopFunc()
	}
}
