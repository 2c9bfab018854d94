package pipeline

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/stage"
)

// A Source makes the iterator that a run reads. [Values], [Seq], [Seq2] and [Chan] make
// sources; a function literal is one, too. ctx ends when the run needs no more items: a
// source that waits for anything watches it. The first error of the iterator ends the
// run, with the name "source". A Source may be run any number of times if its function
// may be called as often.
type Source[T any] func(ctx context.Context) iter.Seq2[T, error]

// Values returns a source of the given values.
func Values[T any](v ...T) Source[T] {
	return Seq(slices.Values(v))
}

// Seq returns a source of the items of seq. A run that ends early stops the loop over seq
// at the next item. It cannot interrupt a seq that blocks, and waits for it. Seq panics
// if seq is nil.
func Seq[T any](seq iter.Seq[T]) Source[T] {
	misuse.Nil(seq == nil, "pipeline: Seq: iterator")
	return func(context.Context) iter.Seq2[T, error] {
		return func(yield func(T, error) bool) {
			for v := range seq {
				if !yield(v, nil) {
					return
				}
			}
		}
	}
}

// Seq2 returns a source of the items of seq, such as the lines of a file. The first error
// ends the run, so a bad line after which others come should be an item, of which the first
// stage says what is wrong, see [MapOr]. A seq that blocks is not interrupted, see [Seq]. Seq2 panics if seq is
// nil.
func Seq2[T any](seq iter.Seq2[T, error]) Source[T] {
	misuse.Nil(seq == nil, "pipeline: Seq2: iterator")
	return func(context.Context) iter.Seq2[T, error] { return seq }
}

// Chan returns a source of the items received from ch, until ch is closed. It stops
// receiving as soon as the run needs no more items, and does not drain ch. Chan panics if
// ch is nil.
func Chan[T any](ch <-chan T) Source[T] {
	misuse.Nil(ch == nil, "pipeline: Chan: channel")
	return func(ctx context.Context) iter.Seq2[T, error] {
		return func(yield func(T, error) bool) {
			for {
				sched.Opaque("a source receives")
				v, ok, err := ctxselect.Recv(ctx, ch)
				if err != nil || !ok || !yield(v, nil) {
					return
				}
			}
		}
	}
}

// errStopped ends the context of a source when that of Until has ended.
var errStopped = errors.New("pipeline: the context of Until has ended")

// Until returns a source of the items of src, until stop ends. That is a clean end: the
// run works off all items that were read, and returns nil. Draining a program on SIGINT
// takes a stop made by [os/signal.NotifyContext], and a context for the run that does not
// end with it. A timer that begins when stop ends, and then ends the context of the run, bounds
// how long that takes.
//
// stop ends the context that src gets: [Chan] leaves at once, and so does any source that
// watches its context. Any other source is left at its next item, which is passed on. An
// error of src that only says that this context has ended is not passed on. Until panics
// if stop or src is nil.
func Until[T any](stop context.Context, src Source[T]) Source[T] {
	ctxselect.Require(stop, "pipeline: Until")
	misuse.Nil(src == nil, "pipeline: Until: source")
	return func(ctx context.Context) iter.Seq2[T, error] {
		return func(yield func(T, error) bool) {
			if sched.Err(stop) != nil {
				return
			}
			inner, cancel := context.WithCancelCause(ctx)
			defer cancel(nil)
			defer stage.Watch(stop, func() {
				sched.Cancel(func() { cancel(errStopped) })
			})()
			for v, err := range src(inner) {
				if err != nil && sched.Err(stop) != nil && context.Cause(inner) == errStopped && stage.Follows(err, inner) {
					return
				}
				if !yield(v, err) || sched.Err(stop) != nil {
					return
				}
			}
		}
	}
}
