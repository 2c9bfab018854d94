package pipeline

import (
	"fmt"
	"time"
)

// Batch returns a stage that collects items into slices of the given size. A
// batch that is not full is sent once its first item is maxAge old, or when the
// input has come to its end; maxAge 0 means no such limit. Each batch is a
// slice of its own, with at least one item. Batch panics if size is less than 1
// or maxAge is negative.
func Batch[T any](size int, maxAge time.Duration) Stage[T, []T] {
	if size < 1 {
		panic(fmt.Sprintf("pipeline: Batch: size must be at least 1, got %d", size))
	}
	if maxAge < 0 {
		panic(fmt.Sprintf("pipeline: Batch: age must not be negative, got %v", maxAge))
	}
	detail := fmt.Sprint(size)
	if maxAge > 0 {
		detail += ", " + maxAge.String()
	}
	return Stage[T, []T]{
		shape: []node{{"batch", detail}},
		build: func(s scope) (scope, func(link[T]) link[[]T]) {
			return s.upstream(), func(in link[T]) link[[]T] {
				b := &batching[T]{scope: s, size: size, maxAge: maxAge, count: s.counters(), in: in, out: newLink[[]T](s.capacity)}
				s.run.spawn(b.loop)
				return b.out
			}
		},
	}
}

// A batching is a Batch in one run.
type batching[T any] struct {
	scope
	size   int
	maxAge time.Duration
	count  *counters
	in     link[T]
	out    link[[]T]
}

func (b *batching[T]) loop() {
	var batch []T
	var timer *time.Timer
	var tick <-chan time.Time // nil: not running, or no age limit
	defer func() {
		if timer != nil {
			timer.Stop()
		}
	}()
	for {
		v, ok, late, err := b.in.recvUntil(b.ctx, tick)
		if err == nil && ok {
			b.count.in.Add(1)
			if batch = append(batch, v); len(batch) == 1 && b.maxAge > 0 {
				// The age counts from here, whatever comes after.
				if timer == nil {
					timer = time.NewTimer(b.maxAge)
				} else {
					timer.Reset(b.maxAge)
				}
				tick = timer.C
			}
		}
		if err == nil && len(batch) > 0 && (!ok || len(batch) == b.size) {
			if err = b.out.send(b.ctx, batch); err == nil {
				b.count.out.Add(1)
			}
			batch, tick = nil, nil
		}
		switch {
		case err != nil:
			b.run.interrupted()
			return
		case !ok && !late:
			b.out.close()
			return
		}
	}
}
