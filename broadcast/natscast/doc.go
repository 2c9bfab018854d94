// Package natscast is a broadcast across processes, on NATS.
//
// A [Broadcast] has one subscription on a NATS server and feeds a
// [broadcast.Broadcast] in this process with it; callers get the same
// [broadcast.Subscription], with its policies, replay and books. So a value
// crosses the network once for each process, however many subscribe in it.
// There are two constructors, which promise different things.
//
// # New: core NATS
//
// Send returns when the connection has taken the value. The values of one
// sender, the origin, come in the order in which it sent them; those of several
// come in an order that need not be the same everywhere. A value is delivered at
// most once. It may be lost, on the way or by a process that is cut off, and
// then it is counted, at the place where it is missing: each value carries the
// origin, its epoch, which changes when it begins to count anew, and its
// sequence number. Beats of the origin show that its last values are missing.
// What comes twice is dropped and counted.
//
// # NewStream: JetStream
//
// Send returns when the stream has stored the value. There is one order for all.
// A process that was cut off goes on where it was, with no hole and nothing twice;
// what the limits of the stream have discarded meanwhile is counted, by the
// sequence numbers of the stream. [WithReplay] begins with the last values that
// the stream holds.
//
// # Gaps
//
// Subscribers see what is missing as a [broadcast.GapError], as if they had been
// slow. Where it is not known how much that is, AtLeast is set:
//
//   - an origin has another epoch, or fell silent without a goodbye;
//   - an origin is heard for the first time, has sent before, and the connection
//     was lost, or the queue full, since this process subscribed;
//   - that has happened, and there are values without a number, see below;
//   - the stream is another one than before, or has lost its end.
//
// A value that the codec can't decode is a gap of one, is counted, and goes to the
// error handler.
//
// In one process, and when no gap of unknown size is counted,
//
//	received + missed = sent since it subscribed
//
// for each origin on core NATS and for the stream on JetStream. On core NATS an
// origin that began and ended while this process was cut off leaves no trace. A value
// whose Send failed in the connection had its number already, and counts as missed.
//
// A message that was not sent by this package has no number. It is a value like
// others. On core NATS it is counted as foreign, and if such have come, a lost
// connection and a full queue are gaps of unknown size, which are told as soon as
// they are noticed.
//
// # Slow subscribers
//
// A Send never waits for a subscriber. One with the policy [broadcast.Block] makes
// this process take no more from NATS: on core NATS messages wait in a queue, see
// [WithQueue], and what finds it full is lost to all subscribers of the process,
// and counted; on JetStream the stream waits, until its limits discard something.
//
// # Connections
//
// A connection belongs to the caller: it is not closed, and none of its handlers
// are set. It must reconnect without end, see [nats.MaxReconnects], and on core
// NATS it must not have [nats.NoEcho], because what a process sends comes back to
// it through the server. The constructors check that. While it is disconnected,
// Send returns [ErrDisconnected]; [WithBuffering] lets it go on. A half-open
// connection is noticed by the pings of the connection, see [nats.PingInterval],
// and one that can't be written to holds Send up for as long as
// [nats.FlusherTimeout]. When the connection is closed, the broadcast ends.
//
// # Cost
//
// A Broadcast has two goroutines and a queue of pointers.
// Values that have come in together are handed to the subscribers together. Close
// ends and joins everything. All methods are safe for concurrent use.
//
// # When not to use it
//
//   - In one process, package [github.com/tandemgo/tandem/broadcast] is a thousand
//     times faster.
//   - What each of several processes is to do its part of is a queue and no broadcast:
//     see [github.com/tandemgo/tandem/pool/natspool].
//   - Where lost values do not matter, a subscription of nats.go without headers costs
//     two thirds.
package natscast
