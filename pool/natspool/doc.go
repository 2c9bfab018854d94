// Package natspool runs the tasks of a pool on many machines. It is package pool with a
// NATS JetStream stream as its queue.
//
// [New] makes a [Pool] from a JetStream, a name, a number of workers and the same
// [pool.Func] that [pool.New] takes. All processes that make a pool of the same name
// share its tasks: to add workers, start another process. A process without workers
// only submits. A task is submitted in one of three ways:
//
//   - [Pool.Go] submits a task and returns when the stream has stored it.
//   - [Pool.Submit] does so and returns a [Future] of its result.
//   - [Pool.Do] does so and waits for the result.
//
// [Pool.Schedule] submits a task later or periodically. [Pool.Pending] and
// [Pool.Schedules] list what has been submitted and scheduled, [Pool.Cancel] and
// [Pool.Unschedule] delete it.
//
// # Promises
//
// A nil error from Go or Submit means that the task is accepted: the stream has stored
// it, and no accepted task is lost. It runs until a run has succeeded, in any process
// with a worker, independently of the process that has submitted it. If it keeps
// failing, it becomes a dead letter. A process runs at most as many tasks at once as it
// has workers. It takes a task only for a free worker, so no task waits in one process
// while a worker is idle in another. A process keeps its tasks for as long as it gives
// signs of life, however long a task takes.
//
// A task may run more than once: if its worker crashes after the run and before the
// acknowledgement reaches the stream; if a process is disconnected for longer than
// [WithAckWait] while it goes on; if [Pool.Shutdown] hands back a task that ignores its
// context; if an acknowledgement is not confirmed. [Attempt] tells a task how often it
// has been delivered, and [Stats].Redelivered counts such deliveries. Tasks that must
// not take effect twice should be idempotent, for example by a unique key in a
// database. A live process does not run again a task that it holds or has just run. If
// a task is submitted twice with the same message id within the duplicate window, it is
// stored once, see [WithMessageID].
//
// # Failures
//
// A task that returns an error, panics or calls [runtime.Goexit] is delivered again
// after a delay, see [WithBackoff], up to [WithMaxDeliver] times. Then it becomes a
// dead letter, and at once after an error made by [Permanent] or if its message cannot
// be decoded. A dead letter keeps the task, the error and the number of deliveries, and
// the task's Future ends with a [TaskError]. [Pool.DeadLetters] iterates over the
// letters, [Pool.Requeue] submits a letter's task again, [Pool.Discard] deletes a
// letter. A task that kills its workers becomes a dead letter as well when its
// deliveries are used up. A worker survives a panic and a Goexit.
//
// A task that a worker hands back has not failed, and that delivery does not count
// towards [WithMaxDeliver]. A task is handed back when the pool ends before the task
// begins, and when [Pool.Shutdown] runs out of time or the context of [WithContext]
// ends while the task runs, unless the task then returns a nil error. No error that the
// task returns after that counts.
//
// The first 4 KiB of an error and the first 8 KiB of a stack are kept, and less if the
// encoded text is longer. If a dead letter cannot be stored, for example since its
// stream is full, the error handler is called and the worker goes on: the process keeps
// as many such tasks as it has workers and tries again, at first after 1 s, in the end
// every 30 s. After three attempts the Future of such a task ends with its TaskError.
// Further such tasks are delivered again after the larger of 30 s and the last delay of
// WithBackoff, to become dead letters then.
//
// # Results
//
// Results are not stored. The worker's process sends a result to the waiting process
// before it acknowledges the task. It keeps its results for 2 minutes, and at most 8 MiB
// of them, and sends them again when it has reconnected or the waiting process has. So
// results survive the restart of a server and of a connection. If the waiting process is
// gone, the task runs all the same. A result is lost if the waiting process is
// disconnected while the worker's process ends or sends more than 8 MiB of other results.
// Seconds after it has reconnected, the waiting process finds that the task is no longer
// in the stream, and the Future ends with [ErrResultLost]: the task has ended and may be
// submitted again. A task whose result must survive that should store it itself.
//
// # Schedules
//
// The server keeps the schedules, and needs no process of the pool to notice that a task
// is due. It then pushes the task to one process with workers, which submits it. So such
// a task waits in the server while no worker is connected or the stream of tasks is full,
// and is submitted once. A schedule has a name, so that several processes can make the
// same one and another can replace it. Schedules need a server of version 2.14.
//
// # Contexts
//
// The context given to a task ends when [Pool.Shutdown] runs out of time and when the
// context of [WithContext] ends, and for no other reason. It does not end when the task
// returns or when the pool is closed, so it may be given to another pool. It has the
// values of the context of WithContext. A task and the error handler run with the
// profiler labels of that context. A context is not sent with a task: the context of Go
// and Submit bounds the call, and that of Do and Wait bounds the wait.
//
// From the instant at which the context of WithContext ends, the pool accepts no task
// and starts none. Go, Submit and Do then return an error that wraps both [ErrClosed]
// and the cause.
//
// # Closing
//
// [Pool.Close] and [Pool.Shutdown] wait for the Futures of this process and for calls
// of Go in progress while its workers go on. Then they take no more tasks, hand back at
// once the tasks that have not begun, and wait until the running tasks have ended and
// are acknowledged. The pool does not close the connection: close it after the pool.
//
// # On the server
//
// The pool "mail" has a stream "natspool-tasks-mail", with work-queue retention and the
// subject "natspool.tasks.mail", its durable pull consumer "workers", a stream
// "natspool-dead-mail" of dead letters with the subject "natspool.dead.mail", and a
// stream "natspool-back-mail" with the subjects "natspool.back.mail.>". The last one
// has an empty message for each delivery that does not count, until the task has ended,
// and at most 131,072 of them, about 13 MiB. New creates those that are missing. It
// does not change existing ones, so their limits, storage and replicas may be changed
// with NATS's own tools. A full stream of tasks must refuse new messages, which is the
// default. The consumer must keep explicit acknowledgements, and must have no limit of
// deliveries and of pending acknowledgements.
//
// The first schedule creates a stream "natspool-plan-mail" with the subjects
// "natspool.plan.mail.*" and "natspool.due.mail", and its durable push consumer
// "workers", which delivers to "natspool.move.mail". This stream must have no limits: a
// full one would discard schedules.
//
// # Cost
//
// A task costs at most six messages: the task and its acknowledgement by the stream, a
// request for it, its delivery, the acknowledgement after the run and its confirmation.
// A Future costs one more, for the result. A task that is delivered again costs one
// more request and its answer, to count the attempts, and a task that is handed back
// costs a message that is acknowledged. A scheduled task costs four more messages, from
// the server and to it. A worker takes the next task without waiting for a confirmation:
// acknowledgements are sent concurrently, and repeated until they are confirmed. One
// request asks for as many tasks as there are free workers; an idle process sends a
// request every 5 s. A pool has three or four subscriptions, one goroutine for periodic
// work, and one goroutine for each task that runs, is due, or has a dead letter that is not
// stored yet.
//
// # When not to use it
//
//   - For work that may be lost with the process, package
//     [github.com/tandemgo/tandem/pool] is thousands of times faster.
//   - For work that must be done exactly once together with a change in a database,
//     use a queue in that database.
//   - To send each message to all processes, use
//     [github.com/tandemgo/tandem/broadcast/natscast].
package natspool
