// Package ratelimit grants permits at a limited rate: exactly, and first come, first
// served.
//
//	l := ratelimit.New(ratelimit.Per(100, time.Second), 10) // 100 a second, 10 at once
//	if err := l.Wait(ctx); err != nil {
//		return err
//	}
//
//	users := ratelimit.NewKeyed[string](ratelimit.Per(5, time.Second), 20)
//	if !users.Allow(user) {
//		return errTooMany
//	}
//
// A [Limiter] grants a burst of permits at once, and then as many as its [Rate] gives
// back. Permits that were granted and have not come back yet are owed.
//
//   - [Limiter.Allow] and [Limiter.Take] answer at once, to drop calls above the limit.
//     [Limiter.Peek] tells without taking.
//   - [Limiter.Wait] waits.
//   - [Limiter.Reserve] takes permits for later and says when. [Reservation.Settle] pays the
//     real cost when it is known.
//   - [Limiter.Charge] takes permits for a cost that has already arisen.
//
// [WithWindow] adds a second window to a limiter and [WithParent] a limit for several
// limiters together: permits are granted by all of them or spent on none. [Keyed] is a
// limiter for each user, address or tenant. Package
// [github.com/tandemgo/tandem/ratelimit/httplimit] limits HTTP servers and clients.
//
// # The meaning of a limit
//
// In every closed window of time, at most
//
//	burst + rate · length
//
// permits are granted. A limiter that was idle grants its burst at once. With 10 per second
// and a burst of 10, the first second grants 20 permits; each second after it grants 10:
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
// With a burst of 1 it would be 11. So for at most n permits in any second, use a burst of 1 and
// Per(n-1, time.Second). [WithSpent] makes a limiter start as if it had not been idle.
//
// A burst of 1 has a price. The bound holds for the instants at which permits are granted,
// so a caller that wakes a millisecond late, as timers do, delays the next permit by a
// millisecond: 50 per second become about 48. A burst of 2 makes up for that.
//
// # Guarantees
//
// The bound holds for any interleaving of calls. Intervals that are not a whole number of
// nanoseconds are not rounded: the remainder is carried. Rates that 64 bits cannot hold
// exactly, such as 1,009 per 30 days, are rounded down by at most 1 ppm. [New] panics if
// rate and burst are out of range.
//
// A permit that is due and has no earlier claimant is granted. Callers that wait are served
// first come, first served, and Allow does not overtake them. A caller that gives up leaves
// its place to those behind it at once. Permits that Settle gives back count as never
// granted. After a Charge, the bound holds for windows that end in a grant.
//
// If the clock jumps back, no extra permits are granted, and callers are delayed by at most
// burst/rate.
//
// The algorithm is the generic cell rate algorithm of ITU-T Recommendation I.371. Its state
// is one number, the theoretical arrival time of the next permit.
//
// # Cancellation
//
// Wait returns the [context.Cause] of its context and has then taken nothing. It fails at
// once if the deadline comes before the permits.
//
// # Cost
//
// A limiter has no goroutine, and a timer only while a caller waits. Allow, Take and Peek
// cost a reading of the clock and a compare-and-swap; they do not allocate, and a denial
// writes nothing. A limiter with several windows or a parent takes a lock for each call, and
// so does a limiter with permits reserved for later. A limiter needs no closing;
// [Limiter.Close] ends the calls that wait. All methods are safe for concurrent use and, in a
// [testing/synctest] bubble, use its time. A limiter that was made outside of a bubble, or in
// another one, sees the clock jump when it is used inside.
//
// # When not to use it
//
//   - To bound how much is done at once, use package
//     [github.com/tandemgo/tandem/inflight].
//   - A limiter counts within one process, and forgets when the process ends. To share a
//     limit between processes, use [github.com/tandemgo/tandem/ratelimit/redislimit].
package ratelimit
