//go:build points

package link_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/link"
	"github.com/tandemgo/tandem/internal/point"
	"github.com/tandemgo/tandem/internal/testkit"
)

var errEnough = errors.New("enough")

// sends sends so many items and closes the link.
func sends(ctx context.Context, l *link.Link[int], from, to int) error {
	for i := from; i < to; i++ {
		if err := l.Send(ctx, i); err != nil {
			return err
		}
	}
	l.Close()
	return nil
}

// receives returns what is received until the end of the link or of ctx.
func receives(ctx context.Context, l *link.Link[int]) (got []int, err error) {
	for {
		v, ok, err := l.Receive(ctx)
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
func TestExploreLink(t *testing.T) {
	for _, c := range []struct {
		name     string
		make     func() *link.Link[int]
		items    int
		attended bool
	}{
		{"one item", func() *link.Link[int] { return link.New[int](0) }, 1, false},
		{"capacity 0", func() *link.Link[int] { return link.New[int](0) }, 2, false},
		{"capacity 0 with a bell", func() *link.Link[int] { return link.New[int](0) }, 2, true},
		{"capacity 0, more items", func() *link.Link[int] { return link.New[int](0) }, 3, false},
		{"capacity 1", func() *link.Link[int] { return link.New[int](1) }, 3, false},
		{"capacity 2", func() *link.Link[int] { return link.New[int](2) }, 4, false},
		{"growing", func() *link.Link[int] { return link.Adaptive[int](1) }, 4, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				l := c.make()
				if c.attended {
					l.Attend()
				}
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

// A link that has grown, and whose receiver becomes slow, shrinks: what has been
// sent arrives all the same.
func TestExploreAShrinkingLink(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		l := link.Adaptive[int](1)
		r.Go("sender", func() { _ = sends(t.Context(), l, 0, 5) })
		r.Go("receiver", func() {
			for want := range 6 {
				v, ok, err := l.Receive(t.Context())
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
	for _, attended := range []bool{false, true} {
		t.Run(bellOrNot(attended), func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				l := link.New[int](0)
				ctx, cancel := context.WithCancelCause(t.Context())
				if attended {
					l.Attend()
				}
				r.Go("sender", func() {
					if err := sends(ctx, l, 0, 9); err != errEnough {
						t.Errorf("sender: %v", err)
					}
					// The bell does not ring for him again.
					if err := l.Send(ctx, 9); err != nil && err != errEnough {
						t.Errorf("sender, once more: %v", err)
					}
				})
				r.Go("receiver", func() {
					if v, ok, err := l.Receive(ctx); v != 0 || !ok || err != nil {
						t.Errorf("got %d, %v, %v", v, ok, err)
					}
					cancel(errEnough)
					point.At("has left")
					if attended {
						l.Ring()
					}
				})
			})
		})
	}
}

func bellOrNot(attended bool) string {
	if attended {
		return "with a bell"
	}
	return "with a context"
}

// The context ends while both may be parked. What was received is the beginning
// of what was sent, and what was not is still there.
func TestExploreCancel(t *testing.T) {
	for _, attended := range []bool{false, true} {
		t.Run(bellOrNot(attended), func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				l := link.New[int](0)
				ctx, cancel := context.WithCancelCause(t.Context())
				if attended {
					l.Attend()
				}
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
					cancel(errEnough)
					point.At("has cancelled")
					if attended {
						l.Ring()
					}
				})
				r.After(func() {
					for v, ok := l.Next(); ok; v, ok = l.Next() {
						got = append(got, v)
					}
					if sent := int(l.Sent()); !slices.Equal(got, upTo(sent)) {
						t.Errorf("%v of %d items", got, sent)
					}
				})
			})
		})
	}
}

// Both ends give up waiting, and go on with another context: nothing is lost by
// it.
func TestExploreLeavingAndComingBack(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		l := link.New[int](0)
		ctx, cancel := context.WithCancelCause(t.Context())
		r.Go("sender", func() {
			from := 0
			for from < 3 && l.Send(ctx, from) == nil {
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
		r.Go("canceller", func() { cancel(errEnough) })
	})
}

// An item comes as the timer fires: the receiver is told that it is late, or
// gets it, and gets it the next time if it was late.
func TestExploreATimer(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		l := link.New[int](0)
		r.Go("sender", func() {
			time.Sleep(time.Second)
			_ = sends(t.Context(), l, 0, 2)
		})
		r.Go("receiver", func() {
			timer := time.NewTimer(time.Second)
			if ok, late, err := l.AwaitUntil(t.Context(), timer.C, nil); ok == late || err != nil {
				t.Errorf("%v, %v, %v", ok, late, err)
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
		in, out := link.New[int](1), link.New[int](1)
		wake, all := make(chan struct{}, 1), make(chan struct{})
		in.Wakers(nil, wake)
		out.Wakers(wake, nil)
		r.Go("sender", func() {
			for i := range 2 {
				if err := in.Send(t.Context(), i); err != nil {
					t.Error(err)
				}
			}
			<-all
			in.Close()
		})
		r.Go("between", func() {
			var held []int
			for {
				var arm func() bool
				if len(held) > 0 {
					arm = out.ArmDrained
				}
				ok, late, err := in.AwaitUntil(t.Context(), nil, arm)
				if ok {
					v, _ := in.Next()
					held = append(held, v)
				} else if !late {
					if out.Close(); err != nil || len(held) > 0 {
						t.Errorf("%v held at the end, %v", held, err)
					}
					return
				}
				if out.Drained() {
					for _, v := range held {
						_ = out.Send(t.Context(), v)
					}
					held = nil
				}
			}
		})
		r.Go("receiver", func() {
			for i := range 2 {
				if v, ok, err := out.Receive(t.Context()); v != i || !ok || err != nil {
					t.Errorf("item %d: %d, %v, %v", i, v, ok, err)
				}
			}
			close(all)
			if got, err := receives(t.Context(), out); len(got) > 0 || err != nil {
				t.Errorf("got %v, %v", got, err)
			}
		})
	})
}

// One at a time is inside, nobody is forgotten, and whoever gives up takes
// nobody's turn with him.
func TestExploreGate(t *testing.T) {
	for _, c := range []struct {
		name                    string
		contenders, turns, quit int
	}{
		{"two", 2, 2, 0},
		{"three", 3, 1, 0},
		{"one gives up", 2, 1, 1},
		{"two give up", 1, 1, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				g := link.NewGate()
				ctx, cancel := context.WithCancelCause(t.Context())
				var inside testkit.Gauge
				entries := 0
				turns := func(ctx context.Context, n int) {
					for range n {
						if err := g.Enter(ctx); err != nil {
							if err != errEnough {
								t.Error(err)
							}
							return
						}
						inside.Enter()
						point.At("inside")
						entries++
						inside.Leave()
						g.Leave()
					}
				}
				for range c.contenders {
					r.Go("contender", func() { turns(t.Context(), c.turns) })
				}
				for range c.quit {
					r.Go("quitter", func() { turns(ctx, 1) })
				}
				if c.quit > 0 {
					r.Go("canceller", func() { cancel(errEnough) })
				}
				r.After(func() {
					cancel(nil)
					if inside.Most() != 1 || entries < c.contenders*c.turns {
						t.Errorf("%d inside at once, %d entries", inside.Most(), entries)
					}
				})
			})
		})
	}
}
