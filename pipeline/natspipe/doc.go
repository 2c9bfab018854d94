// Package natspipe runs a pipeline on many machines, on streams of NATS JetStream.
//
//	in, err := natspipe.NewSource[Order](ctx, js, "orders", "billing") // each process with this name gets a share
//	…
//	defer in.Close()
//	out, err := natspipe.NewSink[Invoice](ctx, js, "invoices")
//	…
//	work := pipeline.Then(natspipe.Map(bill, pipeline.WithWorkers(8)), out.Stage()) // func bill(context.Context, Order) (Invoice, error)
//	err = work.ForEach(ctx, pipeline.Until(stop, in.All), done)                     // stop ends on SIGTERM
//
// A stream of items survives any process: a message stays in its stream until everything
// that was made of it has been stored. To add workers, start another process.
//
// A [Source] reads the messages of a stream, together with all processes that have made a
// Source of the same name. It yields each value in an envelope, a [Msg], which carries its
// share of the acknowledgement. [Map], [Filter], [FlatMap], [Batch] and [ByKey] are stages
// of package pipeline that work on the values of envelopes, with the same options. A
// [Sink] stores the values in another stream; [Ack] ends a pipeline that has taken effect
// elsewhere.
//
// # The end of a message
//
// A message is settled when all envelopes that were made of it have ended:
//
//   - It is acknowledged when each value has been stored by a Sink, has passed Ack, or was
//     left out by a Filter.
//   - It is delivered again at once when a value was handed back: the run ended early while
//     the value waited in front of a stage (then [pipeline.OnDiscard] hands it back) or was
//     under way (then [Source.Close] does).
//   - It is delivered again after a delay when a function or a stream failed for a value,
//     see [WithBackoff]. The run goes on.
//   - It becomes a dead letter when a value has failed for good: in delivery number
//     [WithMaxDeliver], by an error made by [pipeline.Permanent], or because the payload
//     cannot be decoded. It is stored in the stream of dead letters, and then terminated.
//   - It is terminated when a function has dropped a value by [pipeline.ErrSkip].
//
// If the values of one message end in different ways, handing back comes before another
// delivery, that before a dead letter, and that before the rest. So no message is lost
// while any value of it has not been delivered.
//
// # Once, and at least once
//
// A message is delivered again if its process dies, is cut off for longer than
// [WithAckWait], or loses an acknowledgement. A function must be able to run twice for a
// value. A Sink stores each value under a message id, which is made of the number of the
// source's message in its stream and of the index of the value in each FlatMap, see
// [Msg.ID]. The stream of the Sink stores a repeat of an id once within its duplicate
// window, 2 minutes unless set. So from stream to stream a value takes effect
//
//   - once, if all deliveries of its message fall within the duplicate window, if the
//     functions between are deterministic in the number and the order of the values that
//     they emit, and if there is no Batch between;
//   - at least once otherwise.
//
// A message whose last attempt ended later than the window after the first may be stored
// twice: the delays of WithBackoff, WithAckWait and the longest outage to be survived
// should add up to less than the window. With Ack everything is at least once.
//
// # Order
//
// A Sink with [WithKey] stores each value in one of n partitions, which a stable hash of
// its key chooses. A Source with [WithPartitions] reads them, with one consumer each. The
// server has one message of a partition under way at most, in all processes together, and
// does not send the next before that is settled. So for each key the order of the stream
// is the order in which values take effect, for any number of workers and Unordered stages
// between, whichever processes come, go, die or are cut off. A message that is delivered
// again holds up its partition. A process that was cut off may repeat the message that it
// had, later: a Sink drops that repeat within the duplicate window.
//
// No process owns a partition, so there is no rebalancing to wait for. The server gives the
// next message to the processes in turn that have asked, so a new process has its share at
// once, and a process that ends leaves nothing to be taken over but the messages that it
// had. A process can keep no state of a key between messages. Without partitions nothing is
// promised about the order.
//
// A change of n takes keys to other partitions: drain the stream and use other names then.
//
// # Draining
//
// For SIGTERM, give the run a stop of [os/signal.NotifyContext] by [pipeline.Until]. When
// it ends, the Source takes no more messages, hands back those that it has not yielded,
// and the run works off the others and returns nil. Then call Close. A context of the run
// that ends hands back everything that is under way.
//
// # While the server is away
//
// A Source waits for it, and goes on where it was. It makes a deleted consumer again,
// behind the messages that were acknowledged when it last looked, which it does every 5 s. A
// Sink sends a value again until it is stored. Both tell the handler of [WithErrorHandler].
//
// # On the server
//
// The streams of a Source and a Sink are made by the user. NewSource makes the durable pull
// consumer of its name, or one for each partition, and the stream "natspipe-dead-NAME" with
// the subject "natspipe.dead.NAME", if they are missing. It does not change existing ones.
// A dead letter has the payload and the headers of its message and the header
// [ErrorHeader]; another Source can read the letters.
//
// # Cost
//
// A message costs four messages: its delivery, the value for the Sink, its confirmation,
// and the acknowledgement, which is not confirmed. A request asks for half a window. A lane,
// that is a consumer, has three goroutines, and costs a message every 2 s while it is idle
// and a look every 5 s. A partition needs two round trips to the server for a message, so the
// number of partitions bounds how much may be under way: choose some dozen. An envelope costs
// two allocations, and two more for each value of a FlatMap. See also
// integration/natspipe/RESULTS.md.
//
// # When not to use it
//
//   - In one process, package [github.com/tandemgo/tandem/pipeline] is a thousand times
//     faster.
//   - For tasks that come from anywhere and have results, use
//     [github.com/tandemgo/tandem/pool/natspool].
//   - For totals or joins by key whose state must survive, use a stream processor.
package natspipe
