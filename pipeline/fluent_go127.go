//go:build go1.27

package pipeline

import (
	"context"
	"time"
)

// Map appends a [Map] stage to s.
func (s Stage[In, Out]) Map[U any](fn func(context.Context, Out) (U, error), opts ...Option) Stage[In, U] {
	return Then(s, Map(fn, opts...))
}

// MapOr appends a [MapOr] stage to s.
func (s Stage[In, Out]) MapOr[U any](fn func(context.Context, Out) (U, error), or func(context.Context, Failure[Out]) (U, error), opts ...Option) Stage[In, U] {
	return Then(s, MapOr(fn, or, opts...))
}

// Stateful appends a [Stateful] stage to s.
func (s Stage[In, Out]) Stateful[S, U any](open func(context.Context) (S, error), each func(ctx context.Context, state S, in Out, emit func(U) error) error,
	end func(ctx context.Context, state S, emit func(U) error) error, closeState func(S) error, opts ...Option) Stage[In, U] {
	return Then(s, Stateful(open, each, end, closeState, opts...))
}

// FlatMap appends a [FlatMap] stage to s.
func (s Stage[In, Out]) FlatMap[U any](fn func(ctx context.Context, in Out, emit func(U) error) error, opts ...Option) Stage[In, U] {
	return Then(s, FlatMap(fn, opts...))
}

// Then is [Then] with s in front. It appends a stage that has no method, as in
// s.Then(Unbatch[Row]()).
func (s Stage[In, Out]) Then[U any](next Stage[Out, U]) Stage[In, U] { return Then(s, next) }

// Fuse is [Fuse] with s in front.
func (s Stage[In, Out]) Fuse[U any](next Stage[Out, U]) Stage[In, U] { return Fuse(s, next) }

// Batch appends a [Batch] stage to s. Its type parameter is always inferred: it is []Out.
func (s Stage[In, Out]) Batch[B SliceOf[Out]](size int, maxAge time.Duration, opts ...Option) Stage[In, B] {
	return Then(s, batch[Out, B](size, maxAge, opts))
}

// Split appends a [Split] stage to s.
func (s Stage[In, Out]) Split[K comparable, U any](key func(Out) K, branches map[K]Stage[Out, U], opts ...Option) Stage[In, U] {
	return Then(s, Split(key, branches, opts...))
}

// ByKey appends a [ByKey] stage to s.
func (s Stage[In, Out]) ByKey[K comparable, U any](n int, key func(Out) K, lane Stage[Out, U], opts ...Option) Stage[In, U] {
	return Then(s, ByKey(n, key, lane, opts...))
}

// Merge appends a [Merge] stage to s.
func (s Stage[In, Out]) Merge[U any](branches ...Stage[Out, U]) Stage[In, U] {
	return Then(s, Merge(branches...))
}

// Zip appends a [Zip] stage to s.
func (s Stage[In, Out]) Zip[A, B, U any](a Stage[Out, A], b Stage[Out, B], join func(A, B) U, opts ...Option) Stage[In, U] {
	return Then(s, Zip(a, b, join, opts...))
}
