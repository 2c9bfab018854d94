package pipeline

import (
	"fmt"
	"time"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/sched"
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
		s := inlined(shapeOf(n), func(s scope, out sink[B]) (*lifetime, sink[T]) {
			sends(s, out)
			b := &batching[T, B]{between: between[B]{out}, size: size}
			b.counted(s)
			return s.life, b
		})
		s.before = true
		return s
	}
	n.detail += ", " + maxAge.String()
	return Stage[T, B]{
		shape: shapeOf(n),
		connect: func(s scope, out *edge[B]) (*lifetime, *edge[T]) {
			s.team = s.newTeam()
			in := newEdge[T](s.life)
			receives(s, in)
			sends(s, out)
			b := &ageing[T, B]{batching[T, B]{between: between[B]{out}, size: size}, s, in, out, maxAge, make(chan struct{}, 1), time.Time{}, false}
			b.counted(s)
			in.ring.ParkOn(nil, b.wake) // it waits for items and for the next stage at once
			out.ring.ParkOn(b.wake, nil)
			s.run.spawn(s.team.timed(b.loop))
			return s.life, in
		},
	}
}

// SliceOf is the type []T. It lets the method Batch of a Stage, on Go 1.27,
// return a Stage of slices of its own output.
type SliceOf[T any] interface{ []T }

// A batching fills batches.
type batching[T any, B SliceOf[T]] struct {
	between[B]
	size  int
	batch B
	last  int    // the length of the one before
	begun uint64 // items received
}

// counted has the figures of the stage in scope s taken from b.
func (b *batching[T, B]) counted(s scope) {
	s.meter().begun = func() uint64 { return b.begun }
	s.meter().left = func() uint64 { return uint64(len(b.batch)) }
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
	in     *edge[T]
	next   *edge[B] // the same as out
	maxAge time.Duration
	wake   chan struct{} // it parks here
	due    time.Time     // when the batch is old
	old    bool          // the batch is, and waits for the next stage
}

// waits reports whether the batch waits for further items, or for its age, or for the next
// stage. It is called before the stage parks.
func (b *ageing[T, B]) waits() bool {
	if b.batch == nil {
		return true
	}
	b.old = b.old || !time.Now().Before(b.due)
	return !b.old || b.next.ring.ArmDrained()
}

func (b *ageing[T, B]) loop() {
	sched.Opaque("a batch has a timer")
	timer := time.AfterFunc(b.maxAge, func() { sched.Signal(b.wake) })
	timer.Stop()
	defer timer.Stop()
	defer b.run.interrupted()
	for {
		b.in.waits.Turn(1)
		ok, early, err := b.in.ring.Await(b.life.Context, b.waits)
		b.in.waits.Turn(-1)
		switch {
		case err != nil || sched.Err(b.life.Context) != nil: // there may be many more items
			return
		case ok:
			v, _ := b.in.ring.TryPop()
			if err = b.send(v); len(b.batch) == 1 {
				// The age counts from the first item, whatever comes after.
				b.due, b.old = time.Now().Add(b.maxAge), false
				timer.Reset(b.maxAge)
			}
		case !early:
			b.end()
			return
		}
		if err == nil && b.batch != nil && b.old && b.next.ring.Drained() {
			err = b.flush()
		}
		if err != nil {
			return
		}
	}
}
