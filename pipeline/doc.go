// Package pipeline runs typed stages in parallel, each feeding the next.
//
// A [Stage] from In to Out is an immutable recipe, made by [Map], [Filter],
// [FlatMap], [Batch] and others, and put together by [Then] or by methods.
// Running it is structured: the call that runs it, be it [Stage.Run],
// [Stage.ForEach], [Stage.Collect] or the wait function of [Stage.Execute],
// returns only when all goroutines of the run have ended. Sources and sinks are
// the standard iterators and channels.
//
// # Promises
//
// All stages run in parallel, and a stage that is slow slows down those before
// it: what a run holds in memory is bounded by its links (16 items each, or
// what Buffer says), its windows (2n items for n Workers), and its batches.
// Nothing is stranded: what a stage has produced can be taken downstream
// before the stage calls its function again or waits.
//
// Output keeps the order of input, also with Workers, unless Unordered says
// otherwise, and equals what a sequential program would give.
//
// # Errors
//
// The first error ends the run at once, wherever it happens, and is what the
// run returns, as a [*StageError] with the name of its stage. Errors that
// happen meanwhile are joined to it; those that only follow from the end of
// the run are not. What has come out before an error is the beginning of what
// would have. [OnError] decides otherwise for single items, [Retry] tries them
// again, and an [Observer] counts them.
//
// When the context of a run ends, the run returns its [context.Cause].
//
// # Leaving early
//
// A loop over Run that is left, and a [Take] that has enough, cancel the
// contexts of the functions upstream and wait for them. They do not drain the
// source. A source that blocks inside its own code, and not in the loop, cannot
// be interrupted: the run waits for it.
//
// # Panics and Goexit
//
// A panic in a function given to a stage becomes a [*PanicError] and a call of
// runtime.Goexit becomes [ErrGoexit]; both are errors like any other. Loop
// bodies, and the function given to ForEach, run on the goroutine of the caller:
// a panic in a loop body goes on there, once the run has been cancelled and
// joined.
//
// # Cost
//
// A stage costs a goroutine, an ordered one with n workers n+2, and an item a
// channel operation a stage. A Stage is safe for concurrent use, may be copied,
// and parks in a way that [testing/synctest] understands.
package pipeline
