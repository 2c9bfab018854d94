package broadcast

import (
	"context"
	"iter"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/sched"
)

// A Latest holds a value that changes, such as a configuration, for any number
// of goroutines that want its present value. A slow walk sees fewer changes,
// never an older value after a newer one, and the last value always.
//
// The zero value holds nothing and is ready for use. It must not be copied after
// first use. All methods are safe for concurrent use, also inside a walk over
// Changes.
//
// Set and Get take a lock for a few instructions and never wait longer. A
// walk costs nothing while nothing changes; it keeps no value, and no goroutine.
type Latest[T any] struct {
	mu      monitor // walks sleep until the value is set
	value   T
	version uint64 // how often it was set
}

// Set makes v the value. From then on Get and Changes return v or a newer value.
func (l *Latest[T]) Set(v T) {
	l.mu.Lock()
	l.setLocked(v)
}

// setLocked makes v the value, and unlocks.
func (l *Latest[T]) setLocked(v T) {
	l.value = v
	l.version++
	l.mu.unlock(true)
}

// Update sets the value to fn of the present one, the zero value of T if none has been
// set. No other value is set in between: if one is set while fn runs, fn is called
// again with that. fn runs under no lock, so it may call every method. Update panics if
// fn is nil.
func (l *Latest[T]) Update(fn func(old T) T) {
	misuse.Nil(fn == nil, "broadcast: Latest.Update: function")
	l.mu.Lock()
	for {
		old, version := l.value, l.version
		l.mu.Unlock()
		v := fn(old)
		l.mu.Lock()
		if l.version == version {
			l.setLocked(v)
			return
		}
	}
}

// Get returns the value. It reports false, and returns the zero value of T, if
// none has been set.
func (l *Latest[T]) Get() (v T, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.value, l.version > 0
}

// Changes walks the values that are set after it was called, each once. It passes over
// those that have been replaced before it gets to them. To begin with the present value,
// call Changes first and then Get: then no value is missed, and the first one walked may
// be the one that Get has returned. The walk waits for each next value, and ends when
// ctx does: a value that was set just before may then be left out, and Get has it. The
// walk may be repeated, by several goroutines at once. Changes panics if ctx is nil.
func (l *Latest[T]) Changes(ctx context.Context) iter.Seq[T] {
	ctxselect.Require(ctx, "broadcast: Latest.Changes")
	l.mu.Lock()
	start := l.version
	l.mu.Unlock()
	return func(yield func(T) bool) {
		for seen := start; sched.Err(ctx) == nil; {
			l.mu.Lock()
			if l.version > seen {
				v := l.value
				seen = l.version
				l.mu.Unlock()
				if sched.Err(ctx) != nil || !yield(v) { // asked again, or v could have been set since
					return
				}
				continue
			}
			changed := l.mu.sleepLocked()
			l.mu.Unlock()
			sched.ParkCtx(ctx, changed)
		}
	}
}
