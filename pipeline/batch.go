package pipeline

import (
	"context"
	"fmt"
	"time"

	"github.com/tandemgo/tandem/internal/misuse"
)

// Batch returns a stage that collects items into slices of the given size. A batch that is
// not full is sent when its first item is maxAge old and the next stage is free to take
// it: while that is busy, the batch keeps filling. It is also sent when the input has come
// to its end. maxAge 0 means that only a full batch is sent before the end. Each batch is a
// slice of its own, with at least one item. Batch panics if size is less than 1 or maxAge
// is negative.
func Batch[T any](size int, maxAge time.Duration, opts ...Option) Stage[T, []T] {
	return batch[T, []T](size, maxAge, opts)
}

// batch is Batch for a method of a Stage, which cannot name []T for a T of its
// own.
func batch[T any, B SliceOf[T]](size int, maxAge time.Duration, opts []Option) Stage[T, B] {
	misuse.Below(size, 1, "pipeline: Batch: size")
	misuse.Negative(maxAge, "pipeline: Batch: age")
	n := named("Batch", "batch", fmt.Sprint(size), opts)
	if maxAge == 0 {
		s := inlined(shapeOf(n), func(s scope, out outlet[B]) (context.Context, outlet[T]) {
			sends(s, out)
			b := &batching[T, B]{size: size, out: out}
			b.counted(s)
			return s.ctx, b
		})
		s.before = true
		return s
	}
	n.detail += ", " + maxAge.String()
	return Stage[T, B]{
		shape: shapeOf(n),
		connect: func(s scope, out *hop[B]) (context.Context, *hop[T]) {
			s.team = s.newTeam()
			in := newHop[T](s.run, s.ctx)
			receives(s, in)
			sends(s, out)
			b := &ageing[T, B]{batching[T, B]{size: size, out: out}, s, in, out, maxAge}
			b.counted(s)
			s.run.prepare(func() { // it waits for items and for the next stage at once
				wake := make(chan struct{}, 1)
				in.items.Wakers(nil, wake)
				out.items.Wakers(wake, nil)
			})
			s.run.spawn(s.team.timed(b.loop))
			return s.ctx, in
		},
	}
}

// SliceOf is the type []T. It lets the method Batch of a Stage, on Go 1.27,
// return a Stage of slices of its own output.
type SliceOf[T any] interface{ []T }

// A batching fills batches.
type batching[T any, B SliceOf[T]] struct {
	size  int
	out   outlet[B]
	batch B
	last  int    // the length of the one before
	begun uint64 // items received
}

// counted has the figures of the stage in scope s taken from b.
func (b *batching[T, B]) counted(s scope) {
	s.begins(func() uint64 { return b.begun })
	s.leaves(func() uint64 { return uint64(len(b.batch)) })
}

func (b *batching[T, B]) send(v T) error {
	b.begun++
	if b.batch == nil {
		b.batch = make(B, 0, max(1, b.last))
	}
	if b.batch = append(b.batch, v); len(b.batch) < b.size {
		return nil
	}
	return b.flush()
}

func (b *batching[T, B]) flush() error {
	full := b.batch
	b.batch, b.last = nil, len(full)
	return b.out.send(full)
}

func (b *batching[T, B]) end() {
	if len(b.batch) > 0 && b.flush() != nil {
		return
	}
	b.out.end()
}

// An ageing is a batching with an age limit, on a goroutine of its own.
type ageing[T any, B SliceOf[T]] struct {
	batching[T, B]
	scope
	in     *hop[T]
	next   *hop[B] // the same as out
	maxAge time.Duration
}

func (b *ageing[T, B]) loop() {
	var tick <-chan time.Time // nil while there is no batch, or an old one
	var old func() bool       // nil unless the batch is old: then it is for the next stage to come
	timer := time.NewTimer(b.maxAge)
	timer.Stop()
	defer timer.Stop()
	for {
		ok, late, err := b.in.items.AwaitUntil(b.ctx, tick, old)
		switch {
		case err != nil || b.ctx.Err() != nil: // there may be many more
			err = cause(b.ctx)
		case ok:
			v, _ := b.in.items.Next()
			if err = b.send(v); tick == nil && old == nil && b.batch != nil {
				// The age counts from the first item, whatever comes after.
				timer.Reset(b.maxAge)
				tick = timer.C
			}
		case late:
			tick, old = nil, b.next.items.ArmDrained
		default:
			b.end()
			b.run.interrupted()
			return
		}
		if err == nil && old != nil && b.batch != nil && b.next.items.Drained() {
			err = b.flush()
		}
		if err != nil {
			b.run.interrupted()
			return
		}
		if b.batch == nil {
			tick, old = nil, nil
		}
	}
}
