package taskctx

import (
	"context"
	"runtime"
	"time"
	"unsafe"
	"weak"

	"github.com/tandemgo/tandem/internal/sched"
)

// A joined context ends with the first of several parents, or when it is cancelled. It
// has no values.
//
// No call tells when its last user is gone, because a task may leave its context to other
// work. The garbage collector finds that out. The parents therefore do not refer to the
// joined context; they refer to its parentLink, which is removed from them as follows:
//
//   - While the context is reachable, also by way of a derived context or an AfterFunc,
//     the link ends it by calling end.
//   - When the context has been collected, a goroutine may still wait for its Done
//     channel. The link has a weak pointer to the channel and closes it.
//   - When the channel has been collected as well, the link removes itself.
//
// The weak pointer is why this file uses package unsafe: a channel variable is a pointer,
// but the language has no conversion from it to the pointer that package weak needs.
type joined struct {
	context.Context
	cancel context.CancelCauseFunc
	link   *parentLink
}

// join returns a context that ends with the first of parents that does.
func join(parents ...context.Context) *joined {
	l := &parentLink{open: make(chan struct{})}
	h := &joined{link: l}
	h.Context, h.cancel = context.WithCancelCause(l)
	for _, p := range parents {
		if sched.Err(p) != nil {
			l.fire(p)
			return h
		}
	}
	if len(parents) > 0 {
		l.done = weak.Make(addressOf(h.Done()))
		runtime.AddCleanup(h, (*parentLink).contextCollected, l)
		l.watch(parents)
	}
	return h
}

// Value answers only package context and this package.
func (h *joined) Value(key any) any {
	switch {
	case key == cancelKey:
		return h.Context.Value(key)
	case key == any(watchKey{}):
		return h
	}
	return nil
}

// A parentLink ends a joined context when a parent ends. It is also the parent that
// package context sees, which makes it the source of the context's error and cause.
type parentLink struct {
	mu     sched.Mutex
	open   chan struct{}      // never closed: the link ends the context itself
	end    func()             // ends the context; nil if it has ended or has been collected
	done   weak.Pointer[byte] // the channel of the context
	by     context.Context    // the parent that has ended
	over   bool               // the context has ended, or it and its channel are gone
	unlink []func() bool      // one function for each parent
}

// watch registers the link with parents.
func (l *parentLink) watch(parents []context.Context) {
	unlink := make([]func() bool, 0, len(parents))
	for _, p := range parents {
		p = endOf(p) // contexts between p and its end are not kept
		unlink = append(unlink, sched.AfterFunc(p, func() { l.fire(p) }))
	}
	l.mu.Lock()
	if !l.over {
		l.unlink, unlink = unlink, nil
	}
	l.mu.Unlock()
	for _, stop := range unlink {
		stop()
	}
}

// fire ends the context because the parent by has ended. The first call wins.
func (l *parentLink) fire(by context.Context) {
	l.mu.Lock()
	if l.over {
		l.mu.Unlock()
		return
	}
	if l.by == nil {
		l.by = by
	}
	end := l.end
	l.over = end == nil // so that the channel is closed once
	l.mu.Unlock()
	if end != nil {
		sched.Cancel(end)
	} else if done := l.done.Value(); done != nil {
		sched.Opaque("the channel of a collected context")
		close(channelAt(done))
	}
	l.release()
}

// contextCollected is called when the context has been collected.
func (l *parentLink) contextCollected() {
	l.mu.Lock()
	over := l.over
	l.end = nil
	done := l.done.Value()
	l.mu.Unlock()
	switch {
	case over:
	case done == nil:
		l.release()
	default:
		runtime.AddCleanup(done, (*parentLink).release, l)
	}
}

// release removes the link from the parents.
func (l *parentLink) release() {
	l.mu.Lock()
	unlink := l.unlink
	l.over, l.end, l.unlink = true, nil, nil
	l.mu.Unlock()
	for _, stop := range unlink {
		stop()
	}
}

// AfterFunc is called once, by package context, with the function that ends the context.
func (l *parentLink) AfterFunc(end func()) (stop func() bool) {
	l.end = end
	return func() bool { l.release(); return true }
}

func (l *parentLink) Done() <-chan struct{} { return l.open }

func (l *parentLink) Err() error {
	if by := l.endedBy(); by != nil {
		return sched.Err(by)
	}
	return nil
}

func (l *parentLink) Value(key any) any {
	if by := l.endedBy(); by != nil && key == cancelKey {
		return by.Value(key)
	}
	return nil
}

func (l *parentLink) Deadline() (t time.Time, ok bool) { return t, false }

// endedBy returns the parent that has ended, nil if none has.
func (l *parentLink) endedBy() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.by
}

// endOf returns the innermost context that ends exactly when ctx does. Its Err costs the
// same however deep ctx is, and it does not keep the values that ctx adds to it.
func endOf(ctx context.Context) context.Context {
	done := ctx.Done()
	for _, key := range []any{watchKey{}, cancelKey} {
		if k, ok := ctx.Value(key).(context.Context); ok && k.Done() == done {
			return k
		}
	}
	return ctx
}

// watchKey asks a context of this package for the context to watch in its place.
type watchKey struct{}

// cancelKey is the key by which package context looks for the context that has the cause
// and the list of derived contexts.
var cancelKey = func() any {
	p := keyProbe{Context: context.Background()}
	_ = context.Cause(&p)
	return p.key
}()

// A keyProbe records the key that it is asked for.
type keyProbe struct {
	context.Context
	key any
}

func (p *keyProbe) Err() error        { return context.Canceled }
func (p *keyProbe) Value(key any) any { p.key = key; return nil }

// addressOf returns the address of the channel ch, and channelAt the channel at an address.
func addressOf(ch <-chan struct{}) *byte    { return *(**byte)(unsafe.Pointer(&ch)) }
func channelAt(address *byte) chan struct{} { return *(*chan struct{})(unsafe.Pointer(&address)) }
