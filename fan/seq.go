package fan

import (
	"context"
	"iter"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/sched"
)

// An Option changes how [Seq] walks. A nil Option is ignored.
type Option func(*options)

type options struct{ unordered bool }

// Unordered makes Seq yield results as they are ready. The default is the order of the
// input.
func Unordered() Option { return func(o *options) { o.unordered = true } }

// Seq walks the results of calling fn for each item of in, on n goroutines. Each result
// has its own error, a [*TaskError] with the index of the item: an item that fails does
// not end the walk. Results come in the order of the input, or with Unordered as they are
// ready. Workers stay busy behind a slow item: 2n + 16 items may wait, be in work or have
// results that wait, and 16 more may be about to be yielded; while items take no longer
// than two microseconds, up to 2,047.
//
// Nothing starts before the walk, and the loop body runs on the goroutine that walks. The
// source runs on a goroutine of its own; if it panics or calls runtime.Goexit, that is
// the error of one last pair with a zero value. When ctx ends, the last pair is a zero
// value and the cause of ctx; it matches [ErrNotStarted] if items never started. However
// the walk ends, the context of the calls ends with it, and it returns when all
// goroutines have ended. A source that blocks cannot be interrupted. Seq panics if ctx,
// in or fn is nil or n is less than 1.
func Seq[In, Out any](ctx context.Context, n int, in iter.Seq[In], fn func(context.Context, In) (Out, error), opts ...Option) iter.Seq2[Out, error] {
	check(ctx, "fan: Seq", n)
	misuse.Nil(fn == nil, "fan: Seq: function")
	misuse.Nil(in == nil, "fan: Seq: input")
	var o options
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	return func(yield func(Out, error) bool) {
		s := newStream[struct{}](ctx, n, fn)
		s.ordered = !o.unordered
		s.walk(in, func(In) (none struct{}) { return none }, yield)
	}
}

// ByKey walks the results of calling fn for each item of in, on n goroutines. Items with
// the same key are worked on one after the other, in their order, and their results come
// in that order; those of different keys come as they are ready, and do not wait for each
// other. Like [Seq], it limits the items that wait: a key with more items than that holds
// the source up. A panic of key is the error of the last pair. In all else it is like
// [Seq].
func ByKey[K comparable, In, Out any](ctx context.Context, n int, in iter.Seq[In], key func(In) K, fn func(context.Context, In) (Out, error)) iter.Seq2[Out, error] {
	check(ctx, "fan: ByKey", n)
	misuse.Nil(key == nil || fn == nil, "fan: ByKey: function")
	misuse.Nil(in == nil, "fan: ByKey: input")
	return func(yield func(Out, error) bool) {
		s := newStream[K](ctx, n, fn)
		s.keyed = true
		s.walk(in, key, yield)
	}
}

// walk starts the source and yields results, and then why there are no more, if that is
// an error.
func (s *stream[K, In, Out]) walk(in iter.Seq[In], key func(In) K, yield func(Out, error) bool) {
	s.consume = true
	defer s.join(errDone)
	s.group.start(func() { s.source(in, key) })
	var batch []*item[K, In, Out]
	var none Out
	for more := true; ; {
		batch, more = s.take(batch)
		over := ended(s.caller, s.ctx) // after the look: it may be why there are no more
		switch {
		case over != nil:
			yield(none, s.because(over))
			return
		case len(batch) == 0 && !more:
			if s.last != nil {
				yield(none, s.last)
			}
			return
		case len(batch) == 0:
			sched.ParkCtx(s.ctx, s.done)
		}
		for i, it := range batch {
			if i > 0 && ended(s.caller, s.ctx) != nil {
				break
			}
			if err := it.err; err != nil {
				it.err = &TaskError{Index: it.index, Err: err}
			}
			if !yield(it.out, it.err) {
				return
			}
		}
	}
}

// source is the goroutine that ranges over in.
func (s *stream[K, In, Out]) source(in iter.Seq[In], key func(In) K) {
	inherit(s.caller)
	outcome.Run(func() (none struct{}, err error) {
		if err = ended(s.caller, s.ctx); err != nil {
			return none, err
		}
		for v := range in {
			if ended(s.caller, s.ctx) != nil || !s.push(v, key(v)) {
				return none, ended(s.caller, s.ctx)
			}
		}
		return none, nil
	}, func(_ struct{}, err error) { s.end(err) })
}

// take returns results that are done, in place of those of the last call. It returns false
// if there will be no more. If there are none yet, the consumer has to park.
func (s *stream[K, In, Out]) take(batch []*item[K, In, Out]) (done []*item[K, In, Out], more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range batch {
		s.recycle(it)
	}
	clear(batch)
	batch = batch[:0]
	for len(batch) < ahead && s.results.n > 0 && s.results.front().done {
		batch = append(batch, s.results.pop())
	}
	s.left(len(batch))
	s.waits = len(batch) == 0
	return batch, !s.ended || s.inside > 0
}
