// Package ratelimit grants permits at a limited rate: exactly, and first come,
// first served.
//
// A [Limiter] grants a burst of permits at once and then as many as its [Rate]
// gives back; what was granted and has not come back yet is owed. There are three
// ways to ask. [Limiter.Allow] answers at once, for those who drop what is too
// much; [Limiter.Wait] waits; [Limiter.Reserve] says when, for those who do their
// waiting themselves. [Limiter.Take] is Allow with what a server tells its clients.
// [All] puts several limiters together; [Keyed] is one for each user, address or
// tenant. Package [github.com/tandemgo/tandem/ratelimit/httplimit] puts them on
// HTTP.
//
// # What a limit means
//
// In every window of time, from any instant to any other, at most
//
//	burst + rate · length
//
// permits are granted. The first window of a limiter that was idle sees all of
// it. With 10 per second and a burst of 10, the first second grants not 10 but
// 20, all of the burst at once and one more each tenth of a second; each second
// after it grants 10:
//
//	granted
//	  30 ┤                             ╱
//	     │                       ╱
//	  20 ┤                 ╱           burst + rate·t
//	     │           ╱
//	  10 ┤     ╱                       the burst, at once
//	     │
//	   0 ┼─────┬───────────┬───────────┬──
//	           0           1           2 s
//
// Who wants no more than 10 in any second, the first one too, needs a smaller
// burst: with a burst of 1 it is 11 at most. [WithSpent] makes a limiter start as
// if it had not been idle.
//
// A burst of 1 has a price, since the bound holds for the instants at which permits
// are granted: who wakes a millisecond late, as timers do, has the next one due a
// millisecond later too, and 50 a second become some 48. With a burst of 2 what
// came late is made up for, and the rate is kept.
//
// # Promises
//
// The bound above holds exactly, for any rate from 1 in 290 years to 1e9 a
// second, whatever the interleaving; intervals that are no whole number of
// nanoseconds are neither rounded nor forgotten. What is due and has no earlier
// claimant is granted. Who waits is served first come, first served, and Allow
// does not overtake. A waiter that gives up, and a [Reservation] that is
// cancelled in time, leave their place to those behind them, at once. A clock
// that jumps back grants nothing extra and delays nobody for longer than
// burst/rate, and who has owed nothing since the limiter was made or last waited
// for, not at all.
//
// It is the generic cell rate algorithm of ITU-T Recommendation I.371, in whole
// numbers: one word holds the theoretical arrival time of the next permit.
//
// # Cancellation
//
// Wait returns the [context.Cause] of its context and has then taken nothing.
// If the deadline is too early to be of use, it returns at once.
//
// # Cost
//
// A limiter has no goroutine, and a timer only while somebody waits. Allow,
// Take, Reserve and a Wait that does not have to wait do not allocate: they cost a
// reading of the clock and a compare-and-swap, and a denial writes nothing. A
// limit whose burst takes more than 36 years to come back, or of more than 4
// permits a nanosecond, takes a lock instead, and so does every call while
// permits are reserved for later. It needs no closing; [Limiter.Stop] ends those
// who wait. All methods are safe for concurrent use and, in a [testing/synctest]
// bubble, use its time.
//
// # When not to use it
//
//   - How many may be at work at once, and not how often, is another question: see
//     the workers of package [github.com/tandemgo/tandem/pool], or a semaphore.
//   - A limiter counts what happens in one process, and forgets it when that ends.
//     What processes share, or what outlives them, is counted by
//     [github.com/tandemgo/tandem/ratelimit/redislimit].
package ratelimit
