// Package pool runs tasks of one type on a bounded number of goroutines and
// gives back results of another, without interface values in between.
//
//	p := pool.New(8, fetch) // func fetch(ctx context.Context, url string) (Page, error)
//	defer p.Close()
//
//	page, err := p.Do(ctx, url)                              // one task
//	for page, err := range p.Map(ctx, slices.Values(urls)) { // many, results in order
//		…
//	}
//
// A [Pool] is made by [New] from a number of workers and a function, and
// lives until [Pool.Close], [Pool.Shutdown] or [Pool.Stop]. There are four
// ways to give it work, from the least to the most structure:
//
//   - [Pool.Go] hands a task over and forgets it; an error goes to the
//     handler set by [WithErrorHandler].
//   - [Pool.Submit] hands a task over and returns a [Future] of its result;
//     [Pool.Do] does so and waits.
//   - [Pool.Group] collects the results of many tasks by index, and either
//     stops at the first error or joins all of them.
//   - [Pool.Map] walks an iterator of tasks and yields an iterator of results.
//
// [NewStateful] makes a pool in which every worker has a state of its own, such as a database
// connection. [NewOrdered] makes tasks of one key run one after another ([ByKey]), or some tasks
// before others ([ByPriority]).
//
// # Promises
//
// A nil error from Go or Submit means that the task is accepted: it runs exactly once, or its
// error says why it did not. Such an error matches [ErrNotStarted] and the reason. A result that
// no one reads blocks nothing. At most as many tasks run at any instant as there are workers. No
// task waits behind a running one while a worker is idle. With one worker and no order, tasks run
// in the order in which they were accepted. A task whose context has ended before its turn does
// not run.
//
// # The queue
//
// The pool accepts up to workers + n unfinished tasks, where n is set by [WithQueue].
// Beyond that, Go and Submit block until there is room, first come, first served, or
// until their context ends; TryGo and TrySubmit return [ErrQueueFull]. Inside a task, Go
// and Submit accept tasks beyond that.
//
// # Inside a task
//
// A call is inside a task when its context is that of the task, or is derived from it, and the
// task runs. All methods but Close may be called there, also in a pool with one worker. Go and
// Submit do not wait for room; [Group.Go], which has no context, does. A wait for a task that is still queued, by Do, [Future.Wait],
// [Group.Wait], [Group.Results] or a walk, runs that task in place, on the waiting goroutine; if
// the task calls [runtime.Goexit], it ends the waiting task as well. With keys, the tasks before
// it of its key run first, in the same way. The stack grows with the depth of such waits. If
// several goroutines of a task wait, each of them runs a task, beyond the number of workers. Wait,
// Shutdown and Stop take effect and return [ErrInside].
//
// A wait inside a task under another context, such as [context.Background], is a wait from
// outside: it may need a free worker, and there may be none.
//
// # Contexts
//
// The context given to a task ends with the one that the task was submitted under, and
// with the one of [WithContext]. [Pool.Stop] and [Pool.Shutdown] end it at their deadline. [Future.Cancel] ends it while the task runs, and so do the failure of its
// group and an early end of the walk over its results. Its values are those of the
// context the task was submitted with, and after them the pool's.
//
// It does not end because the task returns, because its group has been waited for, or
// because the pool is idle or has been closed. A task may give it to anything that goes
// on after the task: a goroutine, a derived context, [context.AfterFunc], another pool.
// Such work is cancelled by the events listed above, also after the task has returned;
// Stop and Shutdown end nothing more once the pool has been closed and is at rest. The
// pool keeps nothing for such work: the context is unlinked from those it ends with when
// the garbage collector finds that it is not in use any more.
//
// A task that is submitted under the context of another task, to the same pool or
// another, ends with the context that the other task was submitted with, and with the
// pools of both. The Cancel of the other task's Future does not end it, unless the task
// is submitted under a context that is derived from the other task's by, for example,
// [context.WithCancel].
//
// From the moment at which the context of WithContext has ended, the pool accepts no task
// and starts none. A task that is accepted and has not started by then resolves with the
// cause.
//
// A task runs with the profiler labels of the context it was submitted with, and those of
// [WithName]. Profiler labels that a task sets are not seen by other tasks.
//
// # Errors, panics and Goexit
//
// Do and [Future.Wait] return the error of the task as it is. Groups and walks wrap it in a
// [*TaskError]. An error of a task given to Go goes to the handler of [WithErrorHandler]; without
// one, Close, Shutdown and Stop return it.
//
// A panic in a task becomes a [*PanicError], a call of [runtime.Goexit], as in t.FailNow, becomes
// [ErrGoexit], and neither costs a worker. Two panics end the program, as those of a plain
// goroutine do: that of a task given to Go without a handler, and, with [CrashOnPanic], that of any
// task. A panic in an error handler is not recovered.
//
// # Cost
//
// Tasks are moved by value. Go and TryGo do not allocate while successive tasks are
// submitted under the same few contexts; a worker makes a small context when that of its
// tasks changes. Submit allocates the Future, and the worker a context that
// [Future.Cancel] can end. A group allocates blocks for many tasks. A queued task takes
// its own size and up to 32 bytes. Submitters and workers share one lock, which is held
// briefly. A worker takes up to 32 tasks at once, and idle workers take over tasks that
// it has not started. On two cores an empty task costs some tens of nanoseconds.
//
// Workers are started when there is work and end when they have been idle for a while, see
// [WithIdleTimeout]: a pool at rest owns no goroutine, no timer and no memory for tasks. A pool
// must not be copied, its zero value is not usable, and all of its methods are safe for concurrent
// use. In a bubble of [testing/synctest], a goroutine that waits here is durably blocked.
//
// Whole programs, such as a crawler, an ETL and a server with live progress, are in the cookbook:
// https://github.com/tandemgo/tandem/blob/main/docs/cookbook.md
//
// # When not to use it
//
//   - For a few goroutines and the first of their errors, [sync.WaitGroup] and
//     errgroup need less.
//   - For work on a slice or an iterator right now, package
//     [github.com/tandemgo/tandem/fan] needs no pool that has to be closed.
//   - For work in several steps, package [github.com/tandemgo/tandem/pipeline]
//     bounds the items that wait between them.
//   - The queue is in memory and ends with the program. For a queue that survives the
//     program and is shared with other processes, use package
//     [github.com/tandemgo/tandem/pool/natspool].
package pool
