package natspipe

import (
	"context"
	"fmt"
	"iter"
	"runtime/debug"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/pipeline"
)

// A Source reads the messages of a stream, together with all other processes that have
// made a Source of the same name. Make one with NewSource for each run.
type Source[T any] struct {
	feed  *feed
	codec Codec[T]
}

// NewSource returns a Source of the messages of stream that no process has acknowledged
// under name. It creates the consumer name of the stream, or with [WithPartitions] the
// consumers name-0 to name-(n-1), and the stream of dead letters, if they are missing. It
// blocks until the server has answered or ctx ends. The run does not depend on ctx.
//
// The connection of js must last: it should reconnect without limit, with
// nats.MaxReconnects(-1), and be closed after the Source.
//
// NewSource panics if ctx or js is nil, if stream is empty, if name is not 1 to 64
// letters, digits, '-' or '_', or if an option is for a Sink.
func NewSource[T any](ctx context.Context, js jetstream.JetStream, stream, name string, opts ...Option) (*Source[T], error) {
	require(ctx != nil, "NewSource: context must not be nil")
	require(js != nil, "NewSource: JetStream must not be nil")
	require(stream != "", "NewSource: stream must not be empty")
	require(validName.MatchString(name), "NewSource: name must be 1 to 64 letters, digits, '-' or '_', got %q", name)
	o := newOptions(opts)
	require(o.ofSink == "", "NewSource: %s is for a Sink", o.ofSink)
	codec := typed[Codec[T]](o.codec, jsonCodec[T]{}, "NewSource: WithCodec")
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	f, err := newFeed(ctx, js, stream, name, o)
	if err != nil {
		return nil, fmt.Errorf("natspipe: NewSource: %w", err)
	}
	return &Source[T]{f, codec}, nil
}

// All is the source of a pipeline: it has the type of [pipeline.Source]. It yields the
// messages as they come, without end, until ctx ends. With [pipeline.Until] the run can be
// drained, for example on SIGTERM: the Source takes no more messages, hands back those
// that it has not yielded, and the stages work off the others.
//
// It may be run once; a second run fails with [ErrUsed]. The run fails with [ErrClosed]
// if the connection is closed.
func (s *Source[T]) All(ctx context.Context) iter.Seq2[Msg[T], error] {
	f := s.feed
	return func(yield func(Msg[T], error) bool) {
		if err := f.start(); err != nil {
			yield(Msg[T]{}, err)
			return
		}
		defer f.end()
		defer context.AfterFunc(ctx, f.end)() // also while yield waits
		for ctx.Err() == nil {
			select {
			case <-f.taking.Done(): // also when ctx ends
				if ctx.Err() == nil {
					yield(Msg[T]{}, ErrClosed)
				}
				return
			case d := <-f.queue:
				if v, err := s.decode(d); err != nil {
					d.settle(dead, err)
				} else if !yield(Msg[T]{v, &d.root}, nil) {
					return
				}
			}
		}
	}
}

// decode returns the value of a message, or why there is none. A panic of the codec is an
// error: it must not end each process that receives the message.
func (s *Source[T]) decode(d *delivery) (v T, err error) {
	if (d.delivered-1)/2 >= s.feed.maxDeliver {
		return v, fmt.Errorf("natspipe: delivered %d times, and no process has answered: they may have crashed", d.delivered-1)
	}
	defer func() {
		if p := recover(); p != nil {
			err = &pipeline.PanicError{Value: p, Stack: debug.Stack()}
		}
	}()
	return s.codec.Decode(d.data)
}

// Close hands back the messages that the run has left, so that other processes get them at once: the
// messages of values that were under way when it ended early. It waits for at most 5 s
// until dead letters are stored, then until the server has received all
// acknowledgements. Call it when the run has returned. Close is idempotent. The error is
// always nil. The caller closes the connection.
func (s *Source[T]) Close() error {
	s.feed.close()
	return nil
}

// Stats returns a snapshot of this Source. It does not include the messages that wait in
// the stream; ask the server for those.
func (s *Source[T]) Stats() SourceStats {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	st, ends := s.feed.counts, s.feed.ends
	st.Acked, st.Dropped, st.Dead, st.Failed, st.HandedBack = ends[done], ends[dropped], ends[dead], ends[failed], ends[handedBack]
	st.Held = len(s.feed.held)
	return st
}

// SourceStats is a snapshot of the state and the counters of a Source, taken at one
// instant. In each of them
//
//	Delivered == Held + Acked + Dropped + Failed + HandedBack + Dead + Spared
type SourceStats struct {
	Held        int    // delivered and not settled
	Delivered   uint64 // deliveries to this Source
	Redelivered uint64 // of them, those of a message that had been delivered before, to any process
	Acked       uint64 // all that came of them has been delivered
	Dropped     uint64 // terminated, since a value was dropped
	Failed      uint64 // to be delivered again, after an error
	HandedBack  uint64 // to be delivered again, since the run ended before
	Dead        uint64 // became dead letters
	Spared      uint64 // not yielded, since this Source held the message already
}
