package pool

import (
	"context"
	"runtime"
	"sync"
	"time"
	"unsafe"
	"weak"

	"github.com/tandemgo/tandem/internal/point"
)

// How a context ends with others without being kept by them.
//
// The context of a task ends with that of the submitter and with those of the pool, and
// not when the task returns: work that the task has started elsewhere may still use it.
// Nothing says when the last user is gone, but the garbage collector does. A joint is
// what the other contexts keep. It lets go of them in two steps:
//
//   - As long as somebody has the joined context, or one that is derived from it or an
//     AfterFunc on it, which refer to it, the joint ends it through end.
//   - After that, a goroutine may still have its Done channel, and nothing else. The
//     joint refers to the channel weakly, and closes it itself.
//   - When the channel is gone as well, the joint unlinks itself.

// A joined context ends with the first of others, or when it is cancelled. It has no
// values. Contexts that are derived from it refer to it, and not only to what it embeds:
// this is what the first step above goes by.
type joined struct {
	context.Context
	cancel context.CancelCauseFunc
	joint  *joint
}

// join returns a context that ends with the first of parents that does.
func join(parents ...context.Context) *joined {
	j := &joint{open: make(chan struct{})}
	for _, p := range parents {
		if p.Err() != nil {
			j.by, j.over = p, true
			close(j.open)
			break
		}
	}
	h := &joined{joint: j}
	h.Context, h.cancel = context.WithCancelCause(j)
	if !j.over {
		runtime.AddCleanup(h, (*joint).thin, j)
		j.link(h.Done(), parents...)
	}
	return h
}

// Value answers package context alone.
func (h *joined) Value(key any) any {
	switch {
	case key == cancelKey:
		return h.Context.Value(key)
	case key == any(keeperKey{}):
		return h
	}
	return nil
}

// A joint is also the parent of its joined context as far as package context is
// concerned, so that it can hand on the error and the cause.
type joint struct {
	mu     sync.Mutex
	open   chan struct{}      // never closed, unless a parent had ended at once
	end    func()             // ends the context; nil if that has ended or is not held any more
	done   weak.Pointer[byte] // the context's channel
	by     context.Context    // the parent that has ended
	over   bool               // there is nothing left to do
	unlink []func() bool
}

// link starts to watch parents for a context with the given channel.
func (j *joint) link(done <-chan struct{}, parents ...context.Context) {
	j.done = weak.Make(addressOf(done))
	unlink := make([]func() bool, 0, len(parents))
	for _, p := range parents {
		p = endOf(p) // the others are not kept
		point.At("pool: before a context is linked")
		unlink = append(unlink, context.AfterFunc(p, func() { j.fire(p) }))
	}
	j.mu.Lock()
	if !j.over {
		j.unlink, unlink = unlink, nil
	}
	j.mu.Unlock()
	for _, stop := range unlink {
		stop()
	}
}

// fire ends the context because a parent has ended.
func (j *joint) fire(by context.Context) {
	j.mu.Lock()
	if j.over {
		j.mu.Unlock()
		return
	}
	if j.by == nil {
		j.by = by
	}
	end := j.end
	j.over = end == nil // the channel is closed once
	j.mu.Unlock()
	if end != nil {
		end()
	} else if done := j.done.Value(); done != nil {
		close(channelAt(done))
	}
	j.release()
}

// thin is called when nobody has the context any more.
func (j *joint) thin() {
	j.mu.Lock()
	over := j.over
	j.end = nil
	done := j.done.Value()
	j.mu.Unlock()
	switch {
	case over:
	case done == nil:
		j.release()
	default:
		runtime.AddCleanup(done, (*joint).release, j)
	}
}

// release lets go of the parents.
func (j *joint) release() {
	j.mu.Lock()
	unlink := j.unlink
	j.over, j.end, j.unlink = true, nil, nil
	j.mu.Unlock()
	for _, stop := range unlink {
		stop()
	}
}

// AfterFunc is called once by package context, which passes what ends the context.
func (j *joint) AfterFunc(end func()) (stop func() bool) {
	j.end = end
	return func() bool { j.release(); return true }
}

// Done returns a channel that does not close while there is a context to end.
func (j *joint) Done() <-chan struct{} { return j.open }

func (j *joint) Err() error {
	if by := j.ended(); by != nil {
		return by.Err()
	}
	return nil
}

func (j *joint) Value(key any) any {
	if by := j.ended(); by != nil && key == cancelKey {
		return by.Value(key)
	}
	return nil
}

func (j *joint) Deadline() (t time.Time, ok bool) { return t, false }

// ended returns the parent that has ended, nil if none has.
func (j *joint) ended() context.Context {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.by
}

// endOf returns the innermost context that ends exactly when ctx does. Asking it costs
// the same however deep ctx is, and it holds none of the values around it.
func endOf(ctx context.Context) context.Context {
	done := ctx.Done()
	if k, ok := ctx.Value(keeperKey{}).(context.Context); ok && k.Done() == done {
		return k
	}
	if k, ok := ctx.Value(cancelKey).(context.Context); ok && k.Done() == done {
		return k
	}
	return ctx
}

// keeperKey asks the contexts of this package for what is to be watched in their place.
type keeperKey struct{}

// cancelKey is what package context asks contexts for, to find out which of them knows
// the cause and those that are derived from it.
var cancelKey = func() any {
	p := keyProbe{Context: context.Background()}
	_ = context.Cause(&p)
	return p.key
}()

// A keyProbe notes what it is asked for.
type keyProbe struct {
	context.Context
	key any
}

func (p *keyProbe) Err() error        { return context.Canceled }
func (p *keyProbe) Value(key any) any { p.key = key; return nil }

// addressOf returns where a channel is, and channelAt the channel there. A channel is a
// pointer, which package weak must be given as one.
func addressOf(ch <-chan struct{}) *byte    { return *(**byte)(unsafe.Pointer(&ch)) }
func channelAt(address *byte) chan struct{} { return *(*chan struct{})(unsafe.Pointer(&address)) }
