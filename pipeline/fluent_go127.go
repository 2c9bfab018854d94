//go:build go1.27

package pipeline

import (
	"context"
	"time"
)

// Map is [Map] behind s.
func (s Stage[In, Out]) Map[U any](fn func(context.Context, Out) (U, error), opts ...Option) Stage[In, U] {
	return Then(s, Map(fn, opts...))
}

// FlatMap is [FlatMap] behind s.
func (s Stage[In, Out]) FlatMap[U any](fn func(ctx context.Context, in Out, emit func(U) error) error, opts ...Option) Stage[In, U] {
	return Then(s, FlatMap(fn, opts...))
}

// Then is [Then] with s in front. It is the way to a stage that has no method,
// as in s.Then(Unbatch[Row]()).
func (s Stage[In, Out]) Then[U any](next Stage[Out, U]) Stage[In, U] { return Then(s, next) }

// Fuse is [Fuse] with s in front.
func (s Stage[In, Out]) Fuse[U any](next Stage[Out, U]) Stage[In, U] { return Fuse(s, next) }

// Batch is [Batch] behind s. Its type parameter is always inferred: it is []Out.
func (s Stage[In, Out]) Batch[B SliceOf[Out]](size int, maxAge time.Duration) Stage[In, B] {
	return Then(s, batch[Out, B](size, maxAge))
}

// Split is [Split] behind s.
func (s Stage[In, Out]) Split[K comparable, U any](key func(Out) K, branches map[K]Stage[Out, U]) Stage[In, U] {
	return Then(s, Split(key, branches))
}

// ByKey is [ByKey] behind s.
func (s Stage[In, Out]) ByKey[K comparable, U any](n int, key func(Out) K, lane Stage[Out, U]) Stage[In, U] {
	return Then(s, ByKey(n, key, lane))
}

// Merge is [Merge] behind s.
func (s Stage[In, Out]) Merge[U any](branches ...Stage[Out, U]) Stage[In, U] {
	return Then(s, Merge(branches...))
}

// Zip is [Zip] behind s.
func (s Stage[In, Out]) Zip[A, B, U any](a Stage[Out, A], b Stage[Out, B], join func(A, B) U) Stage[In, U] {
	return Then(s, Zip(a, b, join))
}
