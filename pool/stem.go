package pool

import (
	"context"
	"runtime"
	"sync/atomic"

	"github.com/tandemgo/tandem/internal/point"
)

// A stem is the part of a pool that the contexts of its tasks refer to. They may outlive
// the pool, and keep nothing else of it. It is a context: it ends with the one given by
// WithContext, and when the pool is stopped, but not when the pool has been closed and
// is at rest. It has the values of the one given by WithContext.
type stem struct {
	context.Context
	end context.CancelCauseFunc

	root context.Context // given by WithContext
	// What ends when root does, nil if that cannot end. The engine's watch hears of it a
	// little later, so that it is asked before a task is accepted or starts.
	rootEnd context.Context

	asked   atomic.Bool // somebody may be waiting for its end
	gone    atomic.Bool // the engine does not watch root any more
	follows atomic.Bool // it does so itself
}

func newStem(root context.Context) *stem {
	s := &stem{root: root}
	s.Context, s.end = context.WithCancelCause(context.WithoutCancel(root))
	if root.Done() != nil {
		s.rootEnd = endOf(root)
	}
	return s
}

// over reports whether the context given by WithContext has ended.
func (s *stem) over() bool { return s.rootEnd != nil && s.rootEnd.Err() != nil }

func (s *stem) Done() <-chan struct{} {
	if !s.asked.Load() {
		s.asked.Store(true)
		point.At("pool: before it is seen whether the engine is gone")
		if s.gone.Load() {
			s.followRoot()
		}
	}
	return s.Context.Done()
}

func (s *stem) Err() error {
	err := s.Context.Err()
	if err == nil && s.over() {
		s.end(context.Cause(s.root)) // at once
		err = s.Context.Err()
	}
	return err
}

func (s *stem) Value(key any) any {
	if key == any(keeperKey{}) {
		return s
	}
	return s.Context.Value(key)
}

// leave is called when the engine is gone. What has been started under a task's context
// still ends with root, as long as there is such a thing.
func (s *stem) leave() {
	s.gone.Store(true)
	point.At("pool: before it is seen whether the end is waited for")
	if s.asked.Load() {
		s.followRoot()
	}
}

func (s *stem) followRoot() {
	if s.rootEnd == nil || s.Err() != nil || !s.follows.CompareAndSwap(false, true) {
		return
	}
	end, root := s.end, s.rootEnd
	j := &joint{end: func() { end(context.Cause(root)) }}
	runtime.AddCleanup(s, (*joint).thin, j)
	j.link(s.Context.Done(), root)
}
