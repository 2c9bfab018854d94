// Package ratelimit grants permits at a limited rate: exactly, and first come,
// first served.
//
// A [Limiter] grants a burst of permits at once and then as many as its [Rate]
// gives back. There are three ways to ask. [Limiter.Allow] answers at once, for
// those who drop what is too much; [Limiter.Wait] waits; [Limiter.Reserve] says
// when, for those who do their waiting themselves. [Limiter.Take] is Allow with
// what a server tells its clients. [All] puts several limiters together.
//
// # What a limit means
//
// In every window of time, from any instant to any other, at most
//
//	burst + rate · length
//
// permits are granted. The first window of a limiter that was idle sees all of
// it, so that with 10 per second and a burst of 10, the first second grants 20:
//
//	granted
//	  20 ┤             ╭──  burst + rate·t
//	  10 ┤──────╭──────╯
//	     │ burst
//	   0 ┼──────┬──────┬──
//	     0     1/2     1 s
//
// A smaller burst, or [WithSpent], makes that less.
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
// burst/rate.
//
// # Cancellation
//
// Wait returns the [context.Cause] of its context and has then taken nothing.
// If the deadline is too early to be of use, it returns at once.
//
// # Cost
//
// A limiter has no goroutine, and a timer only while somebody waits. Allow,
// Take, Reserve and a Wait that does not have to wait do not allocate. It needs
// no closing; [Limiter.Stop] ends those who wait. All methods are safe for
// concurrent use and, in a [testing/synctest] bubble, use its time.
package ratelimit
