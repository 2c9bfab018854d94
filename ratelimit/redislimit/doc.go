// Package redislimit limits rates by key over many processes, with the state of each
// key in Redis. Where one process is enough, [ratelimit.Keyed] does the same in a
// thousandth of the time.
//
// A [Limiter] is a [ratelimit.Taker], so
// [github.com/tandemgo/tandem/ratelimit/httplimit] takes it as it takes a Keyed:
// Take, Allow, Peek and Charge answer at once, in one round trip, Wait waits, and Reserve
// takes permits for later, whose real cost [Reservation.Settle] pays. [NewFunc] gives each
// key windows of its own, and [WithParent] a limit for all of them. All Limiters with the
// same prefix on the same Redis share their keys, and should have the same limits; see below
// for what happens while they do not. The client must have ContextTimeoutEnabled in its
// options, or it would not keep to the timeout.
//
// # Promises
//
// In every window of time, by the clock of the server, at most
//
//	burst + rate · length
//
// permits of a key are granted, over all processes. It is the generic cell rate
// algorithm, in one script, in whole numbers: intervals that are no whole number of
// microseconds are neither rounded nor forgotten. RetryAfter is tight: the same call
// is granted that much later and not a microsecond sooner, if no other call comes between.
// A denial writes nothing, except the first under a limit that is new to the key. Several
// windows, such as 10 a second and 1,000 an hour (see [WithWindow]), are one key, so that a
// cluster has them in one place, and permits that one denies are spent on none. A parent is
// another key, in the same call.
//
// Permits that Settle gives back count as never granted, and no more are given back than
// leaves this law in force. After a Charge it holds for windows that end in a grant. Permits
// of a reservation count from their instant on; those of the parent, too.
//
// A clock that jumps, as that of a server may which takes over from another, costs no
// more than one burst: if it goes forward, up to a burst is granted that was not due
// yet, and if it goes back, a key owes as much as when it was last written. A denial that
// notices this writes it.
//
// A key is gone from Redis a moment after nothing is owed any more, and not before. One
// with a rate of 0 stays until [Limiter.Forget] removes it.
//
// # When limits change
//
// A limit changes with a new release, which runs beside the old one for a while, or when
// the function of [NewFunc] says something else, or [Limiter.Set], which holds for all
// processes until the key owes nothing. A key then owes as many permits as before: 4 of 10 that
// are spent at 10 an hour are 4 of 10 at 100 an hour. If more are owed than the new burst
// has, a permit is granted when enough have come back.
//
// While processes with different limits use a key, each limit counts the permits of all of
// them, so together they are granted no more than
//
//	burst + rate · length
//
// of the larger burst and the higher rate. A permit that a caller of Wait sleeps for counts
// for the limits of other processes from the time of its call, so a window can hold as many
// more as callers slept for when it began. A window that a limit has in addition to
// those of the others begins with nothing owed, and counts from then on the permits of
// the others, up to its burst. A limit is forgotten when no process that has it has taken a
// permit of the key for as long as its burst takes to come back, and beyond the eight that
// were used last.
//
// # When Redis is full
//
// A server that reaches its maxmemory evicts keys by its maxmemory-policy, and a key that is
// evicted owes nothing any more. Set maxmemory-policy to noeviction: a full server then
// refuses to write, which counts as a failure. All other policies can evict keys in debt;
// volatile-ttl at least begins with those that owe least. [Limiter.Check] reports such a
// setting when a program starts.
//
// # When Redis does not answer
//
// Redis is waited for no longer than [WithTimeout] says, and no longer than three quarters
// of the time until the deadline of the caller's context, so that there is time for the
// fallback. By default a limiter of this process decides then (see [WithFailurePolicy]). It
// has seen the permits that this process was granted, and grants its share of the limit
// ([WithReplicas]). In a window in which Redis was away, r processes with a share of 1/r grant
// at most
//
//	burst + rate · length   and once more   burst + r + rate · length
//
// one by Redis, one by themselves. After some failures in a row (see [WithBreaker])
// Redis is not asked any more, but by one caller now and then. A context that is cancelled
// is no failure, and neither is a deadline that left Redis less than a millisecond, or less
// than twice the time that it has taken lately: such a call returns an error that wraps
// [context.DeadlineExceeded], and no policy decides.
//
// A call that fails may have spent its permits in Redis all the same, and so may one
// whose context ends meanwhile, and each try of a client that tries again. Permits can
// so be spent twice, and are never granted twice. Stats counts these calls as Failures and
// Errors.
//
// # Leases
//
// [WithLease] makes a limiter take permits in advance, up to so many at once, and hand
// them out in this process for a time to live τ. The law is then: any window grants, over
// all processes, at most
//
//	burst + rate · (length + τ)
//
// since permits granted in it were taken in it or up to τ before. A claim that Redis denied
// is denied here until it would be granted if no other call came between, for up to τ. One call
// for a key is under way at a time; callers that come meanwhile wait for it, and are served
// by it. So a key that is in demand costs a round trip for each lease and not for each
// permit. Reserved permits that were on lease are not given back.
//
// How many permits a lease takes follows the demand. Those that are not used within τ are
// lost to all (Stats counts them as Expired): a lease should be small beside the burst,
// and τ short beside the time in which the burst comes back. Remaining and ResetAfter are
// then those of the last answer of Redis. When the limit of a key changes, its lease is given up:
// the permits count as expired.
//
// # Cancellation
//
// Calls return the [context.Cause] of their context. Its deadline is kept to; of
// a cancellation, a call that is on its way to Redis learns when that has answered, or
// after the timeout.
//
// # Cost
//
// A decision is a round trip, and some microseconds of the server's time; so is a wait,
// however long. With a lease it is a lock, one for all keys of the Limiter, and a look at a map,
// without an allocation. The needs of 1,000 processes with 100,000 decisions a second are in
// https://github.com/tandemgo/tandem/blob/main/integration/redislimit/RESULTS.md.
//
// It works with Redis 5 and later, on a single server, with replicas, and on a cluster:
// each call names one key, and its parent if there is one. There is no goroutine and nothing to
// close; the client is the caller's.
//
// # When not to use it
//
//   - In one process, a [ratelimit.Keyed] is a thousand times faster and needs no server.
//   - A limit that is only to keep a server from being overrun need not be exact over
//     all of them: let each have its share, with a Keyed.
//   - Don't count here things that must not be lost, such as money: after a failover the
//     new server may not know the last grants of the old one.
package redislimit
