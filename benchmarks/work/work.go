// Package work says what the benchmarks measure: for each kind of work one small
// interface or function type, to which package peers fits every library.
//
// All libraries do the same complete work. An adapter adds nothing that the
// library could do without, and leaves nothing out: every task has run when Wait
// returns, every result is handed over, every value delivered. The benchmarks
// count and sum them.
package work

import (
	"context"
	"iter"
	"sync"
	"testing"
)

// A Step is what is done to an item.
type Step = func(ctx context.Context, v int) (int, error)

// Tasks runs tasks on a fixed number of workers.
type Tasks interface {
	Submit(task int) // may wait for room, or for a worker
	Wait()           // until every task has run; there are no more then
}

// NewTasks makes a Tasks that calls run for each task, on so many workers and
// with room for so many waiting tasks. A library that has no queue, or one
// without a bound, ignores the room. Where its tasks are closures, the task goes
// into one.
type NewTasks = func(tb testing.TB, workers, room int, run func(task int)) Tasks

// Batches runs tasks and reads their results, a batch at a time.
type Batches interface {
	Sum(n int) int // of the results of tasks 0 to n-1; n is at most the batch
	Close()
}

// NewBatches makes a Batches whose tasks have the results that run returns.
type NewBatches = func(tb testing.TB, workers, batch int, run func(task int) int) Batches

// A Flow sends what a source yields through stages: it calls sink with each
// result, one call at a time, and returns when there are no more. The first error
// of a stage ends it and is what it returns.
type Flow = func(ctx context.Context, in iter.Seq[int], sink func(int)) error

// NewFlow makes a Flow of these stages, each on a goroutine of its own where the
// library has that.
type NewFlow = func(stages ...Step) Flow

// NewWorkers makes a Flow of one stage with so many workers.
type NewWorkers = func(workers int, stage Step) Flow

// ForEach calls fn for each item of an iterator, on up to so many goroutines. The
// first error ends the contexts of the other calls and is what it returns.
type ForEach = func(ctx context.Context, workers int, in iter.Seq[int], fn func(context.Context, int) error) error

// Map calls fn for each element of a slice, on up to so many goroutines, and
// returns the results by index, and an error if there was one.
type Map = func(ctx context.Context, workers int, in []int, fn Step) ([]int, error)

// NewLimiter makes a limiter that always says yes, or always no: it returns its
// method, or nil if the library has no such limiter.
type NewLimiter = func(tb testing.TB, granting bool) (allow func() bool)

// NewWaiter makes a limiter that has had its burst already, and returns the
// method that waits for a permit.
type NewWaiter = func(perSecond, burst int) (wait func(context.Context) error)

// NewKeyed makes a limiter that has one for each key, which always says yes.
type NewKeyed = func(tb testing.TB) (allow func(key string) bool)

// A Bus sends values to many.
type Bus interface {
	// Subscribe has got called with how many values have come, by a goroutine
	// that is in wg and ends after the last value.
	Subscribe(wg *sync.WaitGroup, got func(n int))
	Send(v int)
	End() // there are no more values; what was sent is still delivered
}

// NewBus makes a Bus with room for so many values, for each subscriber where
// each has a buffer of its own.
type NewBus = func(tb testing.TB, room int) Bus

// Must fails tb, from any goroutine, if there is an error.
func Must(tb testing.TB, err error) {
	if err != nil {
		tb.Error(err)
	}
}
