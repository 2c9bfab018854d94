// Package inflight bounds how much is done at once: the number of calls, or their weight, that
// are in flight at a server, a database or a disk. Package ratelimit bounds how often; this one
// how many at the same time.
//
// A [Limiter] has a limit. [Limiter.Acquire] waits until the weight of a call is free,
// [Limiter.TryAcquire] answers at once, and [Permit.Release] gives the weight back, with the
// outcome of the call:
//
//	p, err := l.Acquire(ctx, 1)
//	if err != nil {
//		return err
//	}
//	defer p.Release(inflight.Ignored) // if nothing else is said below
//	…
//	p.Release(inflight.Success)
//
// [Limited] does this around a function, so that the workers of a pool, of a stage of a pipeline or
// of fan.Map follow the limit.
//
// A weight is whatever the limit counts: calls, connections, bytes of memory. [New] makes a
// limiter with a fixed limit, [NewAdaptive] one that learns it.
//
// # Which algorithm?
//
// By Little's law a server that answers 1,000 calls a second in 10 ms each has 10 of
// them at once. With fewer it is idle, with more the rest waits inside. The best limit changes
// with the server, so an adaptive limiter looks for it all the time:
//
//   - [AIMD] raises the limit until calls are dropped or take longer than a timeout, and then
//     lowers it. It is the one for servers that say no in time, and for many clients of one
//     server: they come to equal shares.
//   - [Vegas] compares the latency with that of an idle server, and lets a few calls
//     wait. Latency stays lowest.
//   - [Gradient] does so with a tolerance: where latencies vary, more calls wait and less
//     throughput is lost.
//
// To know the latency without a queue, Vegas and Gradient halve the limit for a round now
// and then, which costs about 2 % of the throughput. A client can only drain its own part
// of the queue. If ten clients share a server that only they see, each counts most of the
// queue as latency of the server, and together they let several times as many calls wait
// as one client would. Put the limiter into the server, where it sees everything, or use
// AIMD.
//
// At a simulated server of 100 slots and 10 ms, which is saturated, the throughput as a share of
// the best and the latency in milliseconds:
//
//	            throughput   latency   after a tenfold drop
//	AIMD(20ms)       100 %        19   recovers in 1.8 s
//	Gradient          99 %        14               0.8 s
//	Vegas             98 %        11               0.8 s
//
// # Guarantees
//
// The weight in flight never exceeds the limit, unless the limit has come down since:
// then nothing is granted until enough was released. Callers are served first come, first
// served, and TryAcquire does not overtake them; a heavy caller in front is not starved by
// lighter ones. [WithPriority] lets some go first, with ageing. A caller that gives up leaves
// its place, or the weight it was just granted, to those behind it at once.
//
// # Cancellation
//
// Acquire returns the [context.Cause] of its context and has then taken nothing. Release never
// blocks. [Limiter.Close] ends the calls that wait; permits may be released after it.
//
// # Cost
//
// A limiter has no goroutine and no timer. Acquire and Release of a fixed limit cost one atomic
// operation each if nothing waits, and take a lock otherwise; of an adaptive limiter, they read
// the clock, and Release takes a lock. Nothing allocates, apart from a wait when no waiter is
// left for reuse. A caller with a priority steps over those that it goes before, one by one.
// All methods are safe for concurrent use and, in a [testing/synctest] bubble, use its time. A
// limiter that was made outside of a bubble must not be used inside one.
//
// # When not to use it
//
//   - To bound how often something happens, use package
//     [github.com/tandemgo/tandem/ratelimit].
//   - To run tasks on a number of goroutines, use package
//     [github.com/tandemgo/tandem/pool], whose Resize changes it.
//   - If the right limit is known and does not change, such as the connections of a database, an
//     adaptive limiter can only get it wrong: use New.
//   - Calls that take very different times for reasons of their own, such as a second or an hour,
//     tell an adaptive limiter nothing; split them by kind, one limiter each.
//   - A limiter counts within one process. Limits of several processes add up.
package inflight
