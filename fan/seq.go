package fan

import (
	"context"
	"iter"

	"github.com/tandemgo/tandem/internal/keyed"
	"github.com/tandemgo/tandem/internal/misuse"
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
// ready. Workers stay busy behind a slow item: 2n items, at least 16, may be in work or have
// results that wait, and 16 more may wait for a worker; both are more while items take no
// longer than a few microseconds, up to 1,024.
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
		s := &stream[In, Out]{n: n, fn: fn, ordered: !o.unordered}
		s.walk(ctx, in, yield)
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
		type item = keyed.Item[K, numbered[In]]
		s := &stream[item, Out]{n: n, order: new(keyed.Order[K, numbered[In]]), index: func(it item) int { return it.Value.index }}
		s.fn = func(ctx context.Context, it item) (Out, error) { return fn(ctx, it.Value.v) }
		s.walk(ctx, func(yield func(item) bool) {
			index := 0
			for v := range in {
				if !yield(keyed.NewItem(key(v), numbered[In]{v, index})) { // a key that cannot be compared panics here
					return
				}
				index++
			}
		}, yield)
	}
}

// A numbered is an item of a ByKey with its index.
type numbered[In any] struct {
	v     In
	index int
}
