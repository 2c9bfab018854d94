// Package natspool runs the tasks of a pool on many machines: it is package pool
// with a queue that is a stream of NATS JetStream.
//
// A [Pool] is made by [New] from a JetStream, a name, a number of workers and the
// same [pool.Func] that [pool.New] takes. All processes that make a pool of the
// same name share its tasks: to have more workers, start another process. One that
// has no workers only submits. There are three ways to give a pool work:
//
//   - [Pool.Go] hands a task over, and returns when the stream has stored it.
//   - [Pool.Submit] does so and returns a [Future] of its result.
//   - [Pool.Do] does so and waits.
//
// # Promises
//
// A nil error from Go or Submit means that the task is accepted: it is stored, and
// nothing that is accepted is lost. It runs until a run has succeeded, wherever
// there is a worker, whatever becomes of the process that has submitted it; or, if
// it fails again and again, it becomes a dead letter. At most workers tasks run at
// once in a process, and it takes no task for which no worker is free, so that none
// waits behind another while a worker is idle elsewhere. What it has stays its own
// for as long as it gives a sign of life, however long a task takes.
//
// A task may run more than once: if its worker crashes after it has run and before
// the stream knows; if a process is cut off for longer than [WithAckWait] while it
// goes on; if [Pool.Shutdown] hands a task back that does not heed its context; if
// an acknowledgement is not confirmed. [Attempt] tells a task, [Stats].Redelivered
// counts, and whoever can't bear it makes running twice as good as once, say by a
// unique key in a database. As long as a process lives, it does not run again what
// it has or has just run. A task that is submitted twice with the same message id,
// within the duplicate window, is stored once, see [WithMessageID].
//
// # Failures
//
// A task that returns an error, panics or calls [runtime.Goexit] is delivered again
// after a while, see [WithBackoff], up to [WithMaxDeliver] times. Then, and at once
// after an error made by [Permanent] and if a message is undecodable, it becomes a
// dead letter, which keeps the task, the error and the number of deliveries, and its
// Future ends with a [TaskError]. [Pool.DeadLetters] walks the letters,
// [Pool.Requeue] gives one another chance, [Pool.Discard] deletes it. A task that
// kills its worker becomes one, too, when it has been delivered that often. Neither
// a panic nor a Goexit costs a worker.
//
// A task that a worker hands back has not failed, and that delivery does not count
// towards [WithMaxDeliver]. A task is handed back when the pool ends before the task
// begins, and when [Pool.Shutdown] runs out of time or the context of [WithContext]
// ends while the task runs, unless it then returns a nil error. An error that it
// returns after that, of whatever kind, does not count.
//
// Of an error, its first 4 KiB are kept, of a stack the first 8 KiB, and less of a
// text that is long when it is encoded. If a dead letter cannot be stored, since its
// stream is full, say, the error handler is told and the worker goes on: the process
// keeps as many such tasks as it has workers and tries again, every 30 s in the end.
// After three attempts the Future of such a task ends with its TaskError. A task for
// which there is no place is delivered again after 30 s or the longest time of
// WithBackoff, if that is more, to become a dead letter then.
//
// # Results
//
// Results are not stored: they are sent to the process that waits, before the task
// is acknowledged, and again until that process confirms them. The worker's process
// keeps a result that is not confirmed for 2 minutes, and 8 MiB of them at most, so
// results survive the restart of a server and of a connection. If the process that
// waits is gone, the task runs all the same. If the worker's process ends, or has no
// room, while the one that waits is disconnected, that one finds out, seconds after it
// is back, that the task is no longer there, and its Future ends with [ErrResultLost].
// What must survive that is to be stored by the task itself.
//
// # Contexts
//
// The context given to a task ends when [Pool.Shutdown] runs out of time and when
// the context of [WithContext] ends, and for no other reason. It does not end when the
// task returns, nor when the pool is closed, so it may be given to another pool. It
// has the values of the context of WithContext. A task and the error handler run with
// the profiler labels of that context. A context does not travel: that of Go and
// Submit bounds the call, that of Do and Wait the waiting.
//
// When the context of WithContext has ended, the pool accepts no task and starts none,
// from that instant on. Go, Submit and Do then return an error that wraps both
// [ErrClosed] and the cause.
//
// # Closing
//
// [Pool.Close] and [Pool.Shutdown] wait for the Futures of this process and for calls
// of Go that are under way, with its workers at work, then take no more tasks, hand back at once what has not begun, and
// wait until what runs has ended and is acknowledged. The connection is not closed:
// close it after the pool.
//
// # On the server
//
// The pool "mail" has a stream "natspool-tasks-mail", with work-queue retention and
// the subject "natspool.tasks.mail", its durable pull consumer "workers", a stream
// "natspool-dead-mail" of dead letters with the subject "natspool.dead.mail", and a
// stream "natspool-back-mail" with the subjects "natspool.back.mail.>". It has an empty
// message for each delivery that does not count, until the task has ended, and at most
// 131,072 of them, some 13 MiB. They are made if they are missing,
// and otherwise taken as they are, so their limits, storage and replicas may be
// changed with NATS's own tools. A stream of tasks that is full must refuse what is
// new, as it does unless told otherwise; the consumer must go on to ask for explicit
// acknowledgements, and to have no limit of deliveries and of what is pending.
//
// # Cost
//
// A task costs six messages at most: it and its acknowledgement by the stream, a
// request for it, its delivery, the acknowledgement after it has run and the
// confirmation of that; and two for its result, if a Future waits. A task that is
// delivered again costs a request more and its answer, to count its attempts, and one
// that is handed back a message that is acknowledged. A worker does
// not wait for a confirmation before it takes the next task: acknowledgements are
// under way at the same time, and repeated until they are confirmed. One request
// asks for as many tasks as there are free workers; a process at rest sends one
// every five seconds. There are two subscriptions, one goroutine for what must be
// done now and then, and the workers, which are those of a pool of package pool.
//
// # When not to use it
//
//   - For work that may be lost with the process, package
//     [github.com/tandemgo/tandem/pool] is thousands of times faster.
//   - For work that must be done exactly once together with a change in a database,
//     use a queue in that database.
//   - What all processes are to see is a broadcast:
//     [github.com/tandemgo/tandem/broadcast/natscast].
package natspool
