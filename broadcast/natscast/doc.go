// Package natscast provides a broadcast across processes, on NATS.
//
// A [Broadcast] feeds a [broadcast.Broadcast] in this process from one subscription on
// a NATS server. Callers get the same [broadcast.Subscription], with its policies,
// replay and counts. So a value crosses the network once for each process, independent
// of the number of subscribers. The two constructors give different guarantees.
//
// # New: core NATS
//
// Send returns when the connection has taken the value. The values of one sender, the
// origin, arrive in the order in which they were sent; the order of several origins may
// differ between processes. A value is delivered at most once. A value may be lost on
// the way, or while a process is disconnected. A lost value is counted at its place in
// the order: each value carries the origin, its epoch, which changes when the origin
// starts its count again, and its sequence number. Heartbeats of the origin show when its
// last values are missing. Duplicates are dropped and counted.
//
// # NewStream: JetStream
//
// Send returns when the stream has stored the value. All processes have one order. A
// process that was disconnected resumes where it was, with no gap and no duplicate;
// values that the limits of the stream have discarded meanwhile are counted by the
// sequence numbers of the stream. [WithReplay] begins with the last values of the
// stream.
//
// # Several subjects
//
// A process sends on one subject and, with [WithSubjects], receives any number of
// subjects and wildcards in one subscription. The counts of missing values are those of
// all of them.
//
// # Gaps
//
// Subscribers see missing values as a [broadcast.GapError], as if they had been slow.
// If the number is unknown, AtLeast is set:
//
//   - an origin has another epoch, or falls silent without a goodbye;
//   - an origin is heard for the first time, has sent before, and since this process
//     subscribed the connection was lost or the queue was full;
//   - the connection was lost or the queue was full, and there are values without a
//     number, see below;
//   - the stream was replaced by another one, or has lost its end.
//
// A value that the codec cannot decode is a gap of one value, is counted, and is
// reported to the error handler.
//
// In one process, if no gap of unknown size is counted,
//
//	received + missed = sent since it subscribed
//
// for each origin on core NATS and for the stream on JetStream. On core NATS an origin
// that began and ended while this process was disconnected is not counted. A value
// whose Send failed in the connection has taken a number, and counts as missed.
//
// A message that was not sent by this package has no number. It is delivered like other
// values. On core NATS it is counted as foreign. Once foreign values have arrived, a
// lost connection and a full queue are gaps of unknown size, reported as soon as they
// are noticed.
//
// # Slow subscribers
//
// Send never waits for a subscriber. A slow subscriber with the policy
// [broadcast.Block] stops this process from reading from NATS. On core NATS messages
// then wait in a queue, see [WithQueue]; messages that do not fit are lost to all
// subscribers of the process, and counted. On JetStream the stream keeps the values
// until its limits discard them.
//
// # Connections
//
// The caller owns the connection: this package does not close it or set its handlers.
// The connection must reconnect without limit, see [nats.MaxReconnects], and on core
// NATS must not have [nats.NoEcho], because a process receives its own values through
// the server. The constructors check that. While the connection is down, Send returns
// [ErrDisconnected], unless [WithBuffering] is set. The pings of the connection detect
// a half-open connection, see [nats.PingInterval]. A connection that cannot be written
// to blocks Send for [nats.FlusherTimeout]. When the connection is closed, the
// broadcast ends.
//
// # Cost
//
// A Broadcast has a queue of pointers and a goroutine, and on core NATS another one for
// heartbeats. Values that arrive together are handed to the subscribers together. Close
// ends and joins the goroutines. All methods are safe for concurrent use.
//
// # When not to use it
//
//   - In one process, package [github.com/tandemgo/tandem/broadcast] is a thousand
//     times faster.
//   - To divide work among processes, use a queue: see
//     [github.com/tandemgo/tandem/pool/natspool].
//   - Where lost values do not matter, a subscription of nats.go without headers costs
//     two thirds.
package natscast
