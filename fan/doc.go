// Package fan spreads work over goroutines and brings the results together.
//
//	pages, err := fan.Map(ctx, 8, urls, fetch)              // func fetch(context.Context, string) (Page, error)
//	err := fan.ForEach(ctx, 8, slices.Values(names), remove) // func remove(context.Context, string) error
//	page, err := fan.First(ctx, fromCache, fromOrigin)       // the first success; the others are cancelled
//
// By shape of input:
//
//   - Channels: [Out] gives each of n workers a channel of results, [In] merges
//     channels, [Tee] copies one to many, [Partition] splits one by key.
//   - Slices: [Map] calls a function for each element, [Reduce] folds them.
//   - Iterators: [ForEach] calls a function for each item, [Seq] and [ByKey]
//     yield results.
//   - Functions: [First] and [Quorum] race them.
//
// # Blocking and leaving
//
// [Out], [In], [Tee] and [Partition] return at once and leave goroutines. These end when
// the inputs are closed and everything has been received, or when ctx ends, so a consumer
// that leaves early must end ctx. All other functions return, and the loops over [Seq] and
// [ByKey] end, only when every goroutine that they started has ended; they need no
// cleaning up.
//
// When ctx ends they return an error that wraps [context.Cause] of it, and the channel
// functions close their channels. When ctx has ended, or the first error of a call that
// stops at it has been recorded, no function is called any more, on any goroutine.
//
// # Order and errors
//
// Each item that goes in comes out once, if nothing ends early. Map, Reduce, and Seq keep
// the order of the input; ByKey and Partition keep it for items with the same key. In
// takes turns between its inputs.
//
// Map, ForEach and Reduce stop at the first error and return it: an error that only
// follows from that is never returned in its place. Seq and ByKey give each item its own
// error and go on. These errors are of type [*TaskError], which has the index of the
// element, as are those of functions in First and Quorum. Out gives each item the error of
// the function as it is: an item of a channel has no index.
//
// If a call ends before all elements have started, its error matches [ErrNotStarted]: in
// Map and Reduce after any error, in ForEach, Seq and ByKey if ctx has ended. The error
// of Map and Reduce lists the elements that have not started.
//
// # Slow elements
//
// An element or item waits for a free goroutine and for nothing else, with these
// exceptions. A goroutine of Map or Reduce takes several elements at once while an
// element takes less than a microsecond: if one of them is slow, those behind it wait
// until it has returned. An ordered Seq has a window, and items of ByKey wait for those
// with their key.
//
// # Profiler labels
//
// The goroutines that a call starts have the profiler labels of its ctx (see
// [runtime/pprof.WithLabels]), or none if ctx has none, and its functions run with these.
// Functions that run on the goroutine of the caller run with the labels of that
// goroutine, since a program cannot read and restore them.
//
// # Panics and Goexit
//
// A panic in a function becomes a [*PanicError] and a call of [runtime.Goexit], as
// in t.FailNow, becomes [ErrGoexit], which are errors like any other. There are two
// exceptions. The key function of Partition has no result to carry its panic,
// which ends the program. And Map and Reduce work on the goroutine of the
// caller as well: a Goexit there ends the caller, as it would in a plain loop,
// once the other goroutines have ended.
//
// # Cost
//
// Map and Reduce cost about a microsecond. A cheap element costs a look at one word, and
// a call of ctx.Err if ctx can end. An element that takes more than a microsecond costs
// an atomic operation. Goroutines other than the caller's start when the work has lasted
// for 20 µs, so it costs little to use Map and Reduce for cheap elements and short
// inputs. ForEach, Seq and ByKey cost an item some 200 ns and no allocation. The channel
// functions cost a channel operation or two for an item. First and Quorum start a
// goroutine for each function. Only Out, Tee and Partition allocate in proportion to n:
// they make n channels. In a bubble of [testing/synctest], a goroutine that waits here is
// durably blocked.
//
// # When not to use it
//
//   - Goroutines are started anew in each call. Workers that live as long as the
//     program, and a queue in front of them, are in package
//     [github.com/tandemgo/tandem/pool].
//   - Several steps that are to work at once, each with its own number of workers,
//     are a [github.com/tandemgo/tandem/pipeline].
//   - The channel functions are for programs that have channels already: a loop over
//     [Seq] may simply be left, a channel needs its context ended.
//   - For less than some 20 µs of work in all, a plain loop is faster.
package fan
