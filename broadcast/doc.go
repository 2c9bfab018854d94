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
// Values are numbered in the order in which they were sent. [Subscription.Seq]
// tells where a subscription is, and [From] lets one go on where another was, as
// far as that is retained; [Replay] begins some values back.
//
// # Sending
//
// Send is all or nothing: if it returns an error, no subscriber sees the value.
// Senders that wait are served first come, first served.
//
// Whoever relays values from elsewhere, and has lost some on the way, says so with
// [Broadcast.ReportGap]: subscribers see that gap in its place like one of their
// own.
//
// # Closing
//
// After [Broadcast.Close] subscribers read what is left, and then get
// [ErrClosed]. After [Subscription.Close] nothing more is delivered on it.
// Closing is idempotent and works from anywhere, also inside a loop over a
// subscription.
//
// # Latest and Topics
//
// A [Latest] is for a value of which only the newest counts; it keeps no history,
// and has no policies. A [Topics] is a broadcast for each key, which is there
// while somebody subscribes to it. Package broadcast/sse brings a broadcast to
// browsers.
//
// # Cost
//
// Send takes a lock, writes the value once, publishes it by one atomic
// operation, and wakes those who sleep: it costs the same for 1 and for 1,000
// subscribers that keep up. Reading takes no lock that others take, and
// NextBatch, of many values at once, costs little more than copying them. The
// log is allocated in chunks of up to 256 values, at most a quarter of the
// capacity; nothing else is allocated, except where a sender has to wait.
//
// A stalled subscriber costs the chunk it is in, besides what the broadcast
// retains anyway, which is the capacity and up to a chunk. One that is forgotten
// is collected; a Block subscriber must be closed, and so must one whose Chan is
// used. There is no goroutine, except one for each [Subscription.Chan]. All
// methods are safe for concurrent use. No type may be copied; the zero values
// of Broadcast, Subscription and Topics are not usable, that of Latest is.
//
// In a bubble of [testing/synctest], a goroutine that waits here is durably
// blocked. A subscription that has waited inside a bubble belongs to it.
//
// # When not to use it
//
//   - What each of several workers is to do its part of is a queue and no broadcast:
//     a channel, or package [github.com/tandemgo/tandem/pool].
//   - For a single receiver that is to get everything, a channel is enough.
//   - What is sent while nobody subscribes is gone, but for what [Replay] finds. What
//     must outlive the program, or reach others, needs a message broker: see
//     [github.com/tandemgo/tandem/broadcast/natscast].
package broadcast
