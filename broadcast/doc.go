// Package broadcast sends every value to any number of subscribers.
//
// A [Broadcast] keeps the last values sent, and each [Subscription] reads them
// at its own pace, in one order that is the same for all. Sending is a single
// write, however many subscribe.
//
// # Slow subscribers
//
// A subscription that falls further behind than the capacity loses values, and
// is told how many, exactly and at the place where they are missing. That is
// [SkipOldest], the default. [SkipToLatest] goes on with the newest value,
// [Disconnect] ends the subscription, and [Block] makes senders wait for it, so
// that it misses nothing. Only Block subscribers can delay a sender; closing
// one, or ending its context, frees the sender.
//
// At any instant, for each subscription,
//
//	delivered + missed + backlog = sent since it subscribed
//
// and one that is never more than the capacity behind misses nothing.
//
// # Sending
//
// Send is all or nothing: if it returns an error, no subscriber sees the value.
// Senders that wait are served first come, first served.
//
// # Closing
//
// After [Broadcast.Close] subscribers read what is left, and then get
// [ErrClosed]. After [Subscription.Close] nothing more is delivered on it.
// Closing is idempotent and works from anywhere, also inside a loop over a
// subscription.
//
// # Cost
//
// Send takes a lock, writes the value and wakes those who sleep. A stalled
// subscriber costs no memory but what the broadcast retains anyway, and one that
// is forgotten is collected; a Block subscriber must be closed. There is no
// goroutine, except one for each [Subscription.Chan]. All methods are safe for
// concurrent use. Neither type may be copied; the zero values are not usable.
// Parking is durable in the sense of [testing/synctest].
package broadcast
