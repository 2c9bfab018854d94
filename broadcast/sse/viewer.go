package sse

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/outcome"
)

// A viewer is one connection.
type viewer[T any] struct {
	h         *Handler[T]
	sub       *broadcast.Subscription[T]
	seq       uint64 // number of the value, or the gap, that comes first
	reset     bool   // the viewer names a place at which it was never in this run
	closed    bool   // the broadcast is closed: reading does not wait
	out       *stream
	filter    func(T) bool // nil: all values
	events    *encoded
	heartbeat time.Duration
	wrote     time.Time // when something was last written
}

// stream writes n values or the error that were read ahead, and those that follow. It
// reports whether that was all, to the end.
func (v *viewer[T]) stream(ctx context.Context, values []T, n int, err error) (ended bool) {
	for {
		next := v.sub.Position()
		if gap, ok := errors.AsType[*broadcast.GapError](err); ok {
			v.out.event(v.h.gap(next, gap, ""))
		} else if err != nil && !errors.Is(err, errIdle) {
			return ctx.Err() == nil && errors.Is(err, broadcast.ErrClosed)
		}
		v.write(next-uint64(n), values[:n])
		clear(values[:n])
		switch idle := time.Since(v.wrote) >= v.heartbeat; {
		case v.out.buf.Len() > 0 || !idle:
		case v.filter != nil:
			v.out.id(v.h.id(next - 1)) // or the viewer would come back for all that it does not get
		default:
			v.out.buf.WriteString(":\n\n") // a comment
		}
		if v.out.buf.Len() > 0 { // or the filter has let nothing through
			if v.out.flush() != nil {
				return false
			}
			v.wrote = time.Now()
		}
		n, err = v.next(ctx, values)
	}
}

// next is NextBatch that ends with errIdle when it is time for a heartbeat.
func (v *viewer[T]) next(ctx context.Context, values []T) (int, error) {
	if v.sub.Backlog() == 0 {
		var cancel func()
		ctx, cancel = context.WithTimeoutCause(ctx, v.heartbeat-time.Since(v.wrote), errIdle)
		defer cancel()
	}
	return v.sub.NextBatch(ctx, values)
}

// write writes the values that the viewer gets, of which the first has the given number.
func (v *viewer[T]) write(number uint64, values []T) {
	for i, value := range values {
		if v.filter == nil || v.filter(value) {
			v.out.buf.Write(v.event(number+uint64(i), value))
		}
	}
}

// event returns the event of a value.
func (v *viewer[T]) event(number uint64, value T) []byte {
	e := v.events.find(number)
	e.once.Do(func() {
		outcome.Run(func() (Event, error) { return v.h.encode(value) }, func(ev Event, err error) {
			if err != nil {
				ev = v.h.gap(number, &broadcast.GapError{Missed: 1}, v.out.reason(err))
			}
			ev.ID = v.h.id(number)
			var buf bytes.Buffer
			writeEvent(&buf, ev)
			if e.text = buf.Bytes(); len(e.text) > mostKept {
				v.events.forget(e)
			}
			if err == outcome.ErrGoexit {
				v.out.buf.Write(e.text)
				_ = v.out.flush() // then the viewer comes back behind this value
			}
		})
	})
	return e.text
}

// An encoded has the events of the last values of a broadcast, each made by the viewer
// that needs it first.
type encoded struct {
	viewers int // Handler.mu
	slots   [256]atomic.Pointer[event]
}

// An event is the text that all viewers get for a value.
type event struct {
	number uint64
	once   sync.Once
	text   []byte
}

// find returns the event with the number, not made yet if the viewer is the first, or too
// far behind the others.
func (x *encoded) find(number uint64) *event {
	slot := &x.slots[number%uint64(len(x.slots))]
	for {
		e := slot.Load()
		if e != nil && e.number == number {
			return e
		}
		made := &event{number: number}
		if e != nil && e.number > number || slot.CompareAndSwap(e, made) {
			return made
		}
	}
}

// mostKept is the size of the largest event that is kept for other viewers, so that those of a
// broadcast have at most 16 MiB.
const mostKept = 64 << 10

// forget lets go of an event. Viewers that have found it before get it all the same.
func (x *encoded) forget(e *event) { x.slots[e.number%uint64(len(x.slots))].CompareAndSwap(e, nil) }

// share returns the events of a broadcast, and a function that forgets them when the last viewer
// has left.
func (h *Handler[T]) share(log any) (x *encoded, leave func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	x = h.shared[log]
	if x == nil {
		if h.shared == nil {
			h.shared = map[any]*encoded{}
		}
		x = new(encoded)
		h.shared[log] = x
	}
	x.viewers++
	return x, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if x.viewers--; x.viewers == 0 {
			delete(h.shared, log)
		}
	}
}
