package natspipe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tandemgo/tandem/pipeline"
)

// errLeftOut is the error of an item of which nothing goes on, as it should be.
var errLeftOut = fmt.Errorf("natspipe: left out: %w", pipeline.ErrSkip)

// Map returns a stage that sends fn of each value on, in the envelope of the value. It
// takes the options of [pipeline.Map].
//
// A value for which fn fails after the last attempt, also by a panic or a Goexit, is
// counted as skipped, and the run goes on: its message is delivered again after a delay,
// or becomes a dead letter, see [WithMaxDeliver] and [pipeline.Permanent]. If fn returns
// [pipeline.ErrSkip], the value is dropped and its message terminated. An error handler of
// package pipeline gets only the errors of values made by [NewMsg]; the others go to that
// of [WithErrorHandler]. Map panics if fn is nil.
func Map[In, Out any](fn func(context.Context, In) (Out, error), opts ...pipeline.Option) pipeline.Stage[Msg[In], Msg[Out]] {
	require(fn != nil, "Map: function must not be nil")
	return work("map", opts, func(ctx context.Context, m Msg[In]) (Msg[Out], error) {
		v, err := fn(ctx, m.Value)
		return Msg[Out]{v, m.share}, err
	})
}

// Filter returns a stage that sends the values on for which keep returns true. The
// message of another value is acknowledged. Errors of keep are treated as in [Map]. Filter
// panics if keep is nil.
func Filter[T any](keep func(context.Context, T) (bool, error), opts ...pipeline.Option) pipeline.Stage[Msg[T], Msg[T]] {
	require(keep != nil, "Filter: function must not be nil")
	return work("filter", opts, func(ctx context.Context, m Msg[T]) (Msg[T], error) {
		ok, err := keep(ctx, m.Value)
		if err == nil && !ok {
			err = errLeftOut
		}
		return m, err
	})
}

// FlatMap returns a stage whose function emits any number of values for each value. The
// values are sent on when fn has returned nil: a call that fails leaves nothing behind.
// The message is acknowledged when all of them have been delivered. emit returns an error
// if the run has ended. It must be called by one goroutine at a time, and in the same
// order in each call for a value: the index of a value is a part of its message id. Errors
// of fn are treated as in [Map]. FlatMap keeps the values that one call emits in memory.
// FlatMap panics if fn is nil.
func FlatMap[In, Out any](fn func(ctx context.Context, in In, emit func(Out) error) error, opts ...pipeline.Option) pipeline.Stage[Msg[In], Msg[Out]] {
	require(fn != nil, "FlatMap: function must not be nil")
	each := work("flat map", opts, func(ctx context.Context, m Msg[In]) ([]Msg[Out], error) {
		var all []Msg[Out]
		err := fn(ctx, m.Value, func(v Out) error {
			all = append(all, Msg[Out]{Value: v})
			return context.Cause(ctx)
		})
		switch {
		case err != nil:
			return nil, err
		case len(all) == 0:
			return nil, errLeftOut
		}
		split(m.share, all)
		return all, nil
	})
	discard := pipeline.OnDiscard(func(all []Msg[Out]) {
		for _, m := range all {
			m.handBack()
		}
	})
	return pipeline.Then(each, pipeline.Then(discard, pipeline.Unbatch[Msg[Out]]()))
}

// Batch returns a stage that collects values into slices, as [pipeline.Batch] does. The
// messages of a batch are acknowledged, delivered again or made dead letters together.
// Another delivery of them may come in other batches. So what a Sink stores of batches is
// stored at least once, and not within the duplicate window once. Behind a Source with
// partitions a batch has at most one message of each. A batch of more values than the
// Source gives out at once, see [WithWindow], never gets full: with maxAge 0 the run waits for
// ever then. Batch panics if size is less than 1 or maxAge is negative.
func Batch[T any](size int, maxAge time.Duration, opts ...pipeline.Option) pipeline.Stage[Msg[T], Msg[[]T]] {
	collect := pipeline.Then(pipeline.OnDiscard(Msg[T].handBack), pipeline.Batch[Msg[T]](size, maxAge, opts...))
	return pipeline.Then(collect, pipeline.Map(join[T], pipeline.WithName("join")))
}

// ByKey returns a stage that runs n of the same lane in parallel, as [pipeline.ByKey]
// does, and sends the values with the same key through the same one. That keeps their
// order in this process; for the order across processes see [WithKey]. ByKey panics if n
// is less than 1, key is nil, or lane is the zero Stage.
func ByKey[K comparable, In, Out any](n int, key func(In) K, lane pipeline.Stage[Msg[In], Out], opts ...pipeline.Option) pipeline.Stage[Msg[In], Out] {
	require(key != nil, "ByKey: function must not be nil")
	return pipeline.ByKey(n, func(m Msg[In]) K { return key(m.Value) }, lane, opts...)
}

// Ack returns a stage that acknowledges the message of each value and sends the value on.
// It is the end of a pipeline whose stages before have taken effect, for example in a
// database: at least once, since the acknowledgement may be lost.
func Ack[T any](opts ...pipeline.Option) pipeline.Stage[Msg[T], T] {
	return work("ack", opts, func(_ context.Context, m Msg[T]) (T, error) {
		m.share.settle(done, nil)
		return m.Value, nil
	})
}

// work returns a stage that calls fn and settles the envelopes of the items that end
// there.
func work[In, Out any](name string, opts []pipeline.Option, fn func(context.Context, Msg[In]) (Out, error)) pipeline.Stage[Msg[In], Out] {
	call := func(ctx context.Context, m Msg[In]) (Out, error) {
		out, err := fn(ctx, m)
		switch {
		case err == errLeftOut:
			m.share.settle(done, nil)
		case errors.Is(err, pipeline.ErrSkip):
			m.share.settle(dropped, err)
		}
		return out, err
	}
	fail := func(_ context.Context, f pipeline.Failure[Msg[In]]) (none Out, err error) {
		s := f.Item.share
		if len(s.of) == 0 {
			return none, f.Err // no message could be delivered again
		}
		s.settle(failed, f.Err)
		return none, pipeline.ErrSkip
	}
	return pipeline.Then(pipeline.OnDiscard(Msg[In].handBack), pipeline.MapOr(call, fail, slices.Concat([]pipeline.Option{pipeline.WithName(name)}, opts)...))
}
