// Package work defines the works that the benchmarks measure: for each one a small
// interface or function type, to which package peers adapts every library.
//
// All libraries do the same complete work. An adapter adds nothing that the library
// does not need, and leaves nothing out: every task has run when Wait returns, every
// result is returned, every value delivered. The benchmarks count and sum them.
package work

import (
	"context"
	"iter"
	"sync"
	"testing"
)

// A Step processes an item.
type Step = func(ctx context.Context, v int) (int, error)

// Tasks runs tasks on a fixed number of workers.
type Tasks interface {
	Submit(task int) // may wait for room, or for a worker
	Wait()           // until every task has run; then Submit is not called any more
}

// NewTasks makes a Tasks that calls run for each task, with the given numbers of
// workers and of waiting tasks. A library without a queue or with an unbounded one
// ignores room. If its tasks are closures, the adapter makes one for each task.
type NewTasks = func(tb testing.TB, workers, room int, run func(task int)) Tasks

// Batches runs tasks and reads their results, a batch at a time.
type Batches interface {
	Sum(n int) int // of the results of tasks 0 to n-1; n is at most the batch
	Close()
}

// NewBatches makes a Batches whose tasks have the results of run.
type NewBatches = func(tb testing.TB, workers, batch int, run func(task int) int) Batches

// A Flow sends the items of a source through stages: it calls sink with each result,
// one call at a time, and returns at the end. The first error of a stage ends it and is
// returned.
type Flow = func(ctx context.Context, in iter.Seq[int], sink func(int)) error

// NewFlow makes a Flow of these stages, each on its own goroutine if the library
// supports that.
type NewFlow = func(stages ...Step) Flow

// NewWorkers makes a Flow of one stage with the given number of workers.
type NewWorkers = func(workers int, stage Step) Flow

// ForEach calls fn for each item of an iterator, on at most workers goroutines. The
// first error ends the contexts of the other calls and is returned.
type ForEach = func(ctx context.Context, workers int, in iter.Seq[int], fn func(context.Context, int) error) error

// Map calls fn for each element of a slice, on at most workers goroutines, and returns
// the results by index, and an error if there was one.
type Map = func(ctx context.Context, workers int, in []int, fn Step) ([]int, error)

// NewLimiter makes a limiter that always grants or always denies. It returns the method
// of the limiter, or nil if the library has no such limiter.
type NewLimiter = func(tb testing.TB, granting bool) (allow func() bool)

// NewWaiter makes a limiter whose burst is used up, and returns the method that waits
// for a permit.
type NewWaiter = func(perSecond, burst int) (wait func(context.Context) error)

// NewKeyed makes a limiter for each key, which always grants.
type NewKeyed = func(tb testing.TB) (allow func(key string) bool)

// A Bus sends values to many subscribers.
type Bus interface {
	// Subscribe starts a goroutine that calls got with numbers of received values, and
	// ends after the last value. wg has the goroutine.
	Subscribe(wg *sync.WaitGroup, got func(n int))
	Send(v int)
	End() // there are no more values; what was sent is still delivered
}

// NewBus makes a Bus with the given room, for each subscriber if each has its own
// buffer.
type NewBus = func(tb testing.TB, room int) Bus

// Must fails tb, from any goroutine, if err is not nil.
func Must(tb testing.TB, err error) {
	if err != nil {
		tb.Error(err)
	}
}
