//go:build points

package spsc_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/spsc"
)

var errEnough = errors.New("enough")

// sends sends so many items and closes the ring.
func sends(ctx context.Context, l *spsc.Ring[int], from, to int) error {
	for i := from; i < to; i++ {
		if err := l.Push(ctx, i); err != nil {
			return err
		}
	}
	l.Close()
	return nil
}

// receives returns what is received until the end of the ring or of ctx.
func receives(ctx context.Context, l *spsc.Ring[int]) (got []int, err error) {
	for {
		v, ok, err := l.Pop(ctx)
		if !ok {
			return got, err
		}
		got = append(got, v)
	}
}

func upTo(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// Every item arrives, in order, and nobody is forgotten.
func TestExploreRing(t *testing.T) {
	for _, c := range []struct {
		name  string
		make  func() *spsc.Ring[int]
		items int
	}{
		{"one item", func() *spsc.Ring[int] { return spsc.New[int](0) }, 1},
		{"capacity 0", func() *spsc.Ring[int] { return spsc.New[int](0) }, 2},
		{"capacity 0, more items", func() *spsc.Ring[int] { return spsc.New[int](0) }, 3},
		{"capacity 1", func() *spsc.Ring[int] { return spsc.New[int](1) }, 3},
		{"capacity 2", func() *spsc.Ring[int] { return spsc.New[int](2) }, 4},
		{"growing", func() *spsc.Ring[int] { return spsc.Adaptive[int](1) }, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				l := c.make()
				r.Go("sender", func() {
					if err := sends(t.Context(), l, 0, c.items); err != nil {
						t.Error(err)
					}
				})
				r.Go("receiver", func() {
					if got, err := receives(t.Context(), l); err != nil || !slices.Equal(got, upTo(c.items)) {
						t.Errorf("got %v, %v", got, err)
					}
				})
				r.After(func() {
					if l.Freed() != l.Sent() {
						t.Errorf("%d given back of %d", l.Freed(), l.Sent())
					}
				})
			})
		})
	}
}

// A ring that has grown, and whose receiver becomes slow, shrinks: what has been
// sent arrives all the same.
func TestExploreAShrinkingRing(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		l := spsc.Adaptive[int](1)
		r.Go("sender", func() { _ = sends(t.Context(), l, 0, 5) })
		r.Go("receiver", func() {
			for want := range 6 {
				v, ok, err := l.Pop(t.Context())
				if ok != (want < 5) || ok && v != want || err != nil {
					t.Errorf("got %d, %v, %v, want %d", v, ok, err, want)
				}
				if want%2 == 1 {
					time.Sleep(time.Second)
				}
			}
		})
	})
}

// The receiver leaves while the sender waits for room, or is about to: whoever
// waits is told by the context.
func TestExploreTheReceiverLeaves(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		l := spsc.New[int](0)
		ctx, cancel := context.WithCancelCause(t.Context())
		r.Go("sender", func() {
			if err := sends(ctx, l, 0, 9); err != errEnough {
				t.Errorf("sender: %v", err)
			}
			// It is not woken again.
			if err := l.Push(ctx, 9); err != nil && err != errEnough {
				t.Errorf("sender, once more: %v", err)
			}
		})
		r.Go("receiver", func() {
			if v, ok, err := l.Pop(ctx); v != 0 || !ok || err != nil {
				t.Errorf("got %d, %v, %v", v, ok, err)
			}
			sched.Cancel(func() { cancel(errEnough) })
			l.Wake()
		})
	})
}

// The context ends while both may be parked. What was received is the beginning
// of what was sent, and what was not is still there.
func TestExploreCancel(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		l := spsc.New[int](0)
		ctx, cancel := context.WithCancelCause(t.Context())
		var got []int
		r.Go("sender", func() {
			if err := sends(ctx, l, 0, 2); err == nil && l.Sent() != 2 || err != nil && err != errEnough {
				t.Errorf("sender: %v, %d sent", err, l.Sent())
			}
		})
		r.Go("receiver", func() {
			var err error
			if got, err = receives(ctx, l); err == nil && len(got) != 2 || err != nil && err != errEnough {
				t.Errorf("receiver: %v, %v", got, err)
			}
		})
		r.Go("canceller", func() {
			sched.Cancel(func() { cancel(errEnough) })
			l.Wake()
		})
		r.After(func() {
			for v, ok := l.TryPop(); ok; v, ok = l.TryPop() {
				got = append(got, v)
			}
			if sent := int(l.Sent()); !slices.Equal(got, upTo(sent)) {
				t.Errorf("%v of %d items", got, sent)
			}
		})
	})
}

// Both ends give up waiting, and go on with another context: nothing is lost by
// it.
func TestExploreLeavingAndComingBack(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		l := spsc.New[int](0)
		ctx, cancel := context.WithCancelCause(t.Context())
		r.Go("sender", func() {
			from := 0
			for from < 3 && l.Push(ctx, from) == nil {
				from++
			}
			_ = sends(t.Context(), l, from, 3)
		})
		r.Go("receiver", func() {
			got, err := receives(ctx, l)
			if err != nil {
				var more []int
				more, err = receives(t.Context(), l)
				got = append(got, more...)
			}
			if err != nil || !slices.Equal(got, upTo(3)) {
				t.Errorf("got %v, %v", got, err)
			}
		})
		r.Go("canceller", func() {
			sched.Cancel(func() { cancel(errEnough) })
			l.Wake()
		})
	})
}

// An item comes as Await is told to return: it is received then or the next time.
func TestExploreEarly(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		l := spsc.New[int](0)
		ready := make(chan struct{}, 1)
		l.ParkOn(nil, ready)
		var late sched.Bool
		r.Go("sender", func() { _ = sends(t.Context(), l, 0, 2) })
		r.Go("timer", func() {
			late.Store(true)
			sched.Signal(ready)
		})
		r.Go("receiver", func() {
			if ok, early, err := l.Await(t.Context(), func() bool { return !late.Load() }); ok == early || err != nil {
				t.Errorf("%v, %v, %v", ok, early, err)
			}
			if got, err := receives(t.Context(), l); err != nil || !slices.Equal(got, upTo(2)) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	})
}

// A goroutine that waits for items and for the link behind it to be drained misses neither:
// it holds an item back until the receiver has come for more, and the input stays open.
func TestExploreDrained(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		in, out := spsc.New[int](1), spsc.New[int](1)
		wake, all := make(chan struct{}, 1), make(chan struct{}, 1)
		in.ParkOn(nil, wake)
		out.ParkOn(wake, nil)
		r.Go("sender", func() {
			for i := range 2 {
				if err := in.Push(t.Context(), i); err != nil {
					t.Error(err)
				}
			}
			sched.Park(all)
			in.Close()
		})
		r.Go("between", func() {
			var held []int
			for {
				var arm func() bool
				if len(held) > 0 {
					arm = out.ArmDrained
				}
				ok, late, err := in.Await(t.Context(), arm)
				if ok {
					v, _ := in.TryPop()
					held = append(held, v)
				} else if !late {
					if out.Close(); err != nil || len(held) > 0 {
						t.Errorf("%v held at the end, %v", held, err)
					}
					return
				}
				if out.Drained() {
					for _, v := range held {
						_ = out.Push(t.Context(), v)
					}
					held = nil
				}
			}
		})
		r.Go("receiver", func() {
			for i := range 2 {
				if v, ok, err := out.Pop(t.Context()); v != i || !ok || err != nil {
					t.Errorf("item %d: %d, %v, %v", i, v, ok, err)
				}
			}
			sched.Signal(all)
			if got, err := receives(t.Context(), out); len(got) > 0 || err != nil {
				t.Errorf("got %v, %v", got, err)
			}
		})
	})
}
