// Package pipeline runs typed stages in parallel, each feeding the next.
//
//	load := pipeline.Then(pipeline.Map(fetch, pipeline.WithWorkers(8)), // func fetch(context.Context, string) (Page, error)
//		pipeline.Then(pipeline.Batch[Page](100, time.Second),
//			pipeline.Map(store))) // func store(context.Context, []Page) (int, error)
//
//	for stored, err := range load.Run(ctx, pipeline.Seq(urls)) {
//		…
//	}
//
// On Go 1.27 the same stage is
//
//	pipeline.Map(fetch, pipeline.WithWorkers(8)).Batch(100, time.Second).Map(store)
//
// Type arguments are inferred from functions. A stage without one needs them when it is not a
// method: Batch[Page], Unbatch[Page], Buffer[Page], Take[Page], Throttle[Page].
//
// A [Stage] from In to Out is an immutable recipe, made by [Map], [Filter],
// [FlatMap], [Batch] and others, and put together by [Then] or by methods: on Go
// 1.27 every combinator is one, also those that change the type. Running a stage
// is structured: the call that runs it, be it [Stage.Run], [Stage.ForEach],
// [Stage.Collect] or the wait function of [Stage.Execute], returns only when all
// goroutines of the run have ended. A [Source] is made of values, an iterator or a
// channel, and sees the end of the run.
//
// # Overview
//
//   - Input: [Values], [Seq], [Seq2], [Chan]; [Until] ends it cleanly, as on SIGINT.
//   - One item, one result: [Map], [Tap], [Throttle]. Some of the items: [Filter],
//     [Take]. Any number: [FlatMap], [Batch], [Unbatch]. With a state: [Stateful].
//   - One behind the other: [Then], in parallel, and [Fuse], on one goroutine.
//     [Buffer] sets how many items may wait in between.
//   - Side by side: [Split] sends an item through the branch for its key, [ByKey]
//     through one of n equal branches, [Merge] and [Zip] through all branches.
//   - Several items at once: [WithWorkers], in the order of the input or [Unordered].
//   - When an item fails: [WithRetry], [WithTimeout], [MapOr], [WithErrorHandler],
//     [ErrSkip]. When a run ends early: [OnDiscard].
//   - Figures and pictures: [Stage.Observe], [Stage.Mermaid], [Stage.String].
//
// # Promises
//
// All stages run in parallel, and a stage that is slow slows down those before
// it: the memory that a run holds is bounded. It is the sum of
//
//   - the items between two stages: up to 16; up to 1,024 items or 64 KiB while both
//     stages take at most a few microseconds for an item; with a [Buffer], its size;
//   - the items that the n workers of a stage work on, and the results that wait for their
//     turn: together as many as between two stages, or 2n if that is more;
//   - the size of each [Batch].
//
// Nothing is stranded: an item that a stage has produced can be taken downstream before
// the stage calls its function again or waits.
//
// Output keeps the order of input, also with several workers, unless Unordered says
// otherwise, and equals that of a sequential program. Branches keep
// their own order.
//
// # Errors
//
// The first error ends the run at once, wherever it happens. The run returns it as a
// [*StageError] with the name of its stage and the number of the item. No function of a
// stage begins after that, except those of [OnDiscard] and the closeState of a
// [Stateful]. Errors that happen meanwhile are joined to it; those that only follow from
// the end of the run are not. The results before an error are the first results of the
// same run without it. If the function fails for an item, [WithRetry] calls it again.
// Then the second function of [MapOr] may give another value or drop the item. Then
// [WithErrorHandler] decides. The error of the function itself stays in the chain through
// all of them. An [Observer] counts the items.
//
// When the context of a run ends, the run returns its [context.Cause].
//
// # Leaving early
//
// A loop over Run that is left, and a [Take] that has enough, cancel the contexts of the
// source and of the functions upstream, and wait for them. They do not drain the source.
// A source that watches its context, as [Chan] does, returns at once. The run waits for a
// source that blocks and does not watch its context. [OnDiscard] gets the items that are
// under way.
//
// # Panics and Goexit
//
// A panic in a function given to a stage becomes a [*PanicError] and a call of
// [runtime.Goexit], as in t.FailNow, becomes [ErrGoexit]; both are errors like any
// other. Loop bodies, and the function given to ForEach, run on the goroutine of
// the caller: a panic in a loop body goes on there, once the run has been
// cancelled and joined.
//
// # Cost
//
// A stage costs a goroutine, one with n workers up to n of them, started as there is
// work; a Buffer costs none. Take, Unbatch, and a Batch without an age run on the
// goroutine of a neighbour if there is one. An item costs no allocation and one atomic
// operation a stage: some 20 ns, against some hundred for a channel. A call between fused
// stages takes less processor time. A Stage is safe for concurrent use and may be copied.
// In a bubble of [testing/synctest], a goroutine that waits here is durably blocked.
//
// Whole programs, such as a crawler, an ETL and a server with live progress, are in the cookbook:
// https://github.com/tandemgo/tandem/blob/main/docs/cookbook.md
//
// # When not to use it
//
//   - For values of more than 64 KiB: no channel takes them, so a Stage of them does not
//     compile, because of Execute. Use pointers.
//   - For one function and a slice or an iterator, package
//     [github.com/tandemgo/tandem/fan] needs less.
//   - For tasks that come from anywhere, as long as the program lives, or that make
//     new ones, as a crawl does, see package [github.com/tandemgo/tandem/pool].
//   - Steps that take a few nanoseconds are faster as calls in one loop than on several
//     goroutines; see [Fuse] for a part of a chain.
package pipeline
