//go:build points

package broadcast_test

import (
	"context"
	"testing"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/sched"
)

// B2, B4: Block subscriptions miss nothing, and a sender that waits for them goes on.
func TestExploreBlock(t *testing.T) {
	for name, readers := range map[string][]string{"one": {"reader"}, "two": {"reader", "another"}} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				b := broadcast.New[uint64](broadcast.WithCapacity(1))
				n := 4 - len(readers)
				for _, name := range readers {
					k := newBook(t, b, broadcast.WithOverflow(broadcast.Block))
					r.Go(name, func() {
						if err := k.read(t.Context(), n); err != nil || k.missed > 0 {
							t.Errorf("%v, %d missed", err, k.missed)
						}
					})
				}
				r.Go("sender", func() { sendAll(t, b, uint64(n)) })
			})
		})
	}
}

// B4: a subscription that closes, or stops reading and then closes, frees the
// sender.
func TestExploreBlockCloses(t *testing.T) {
	for name, others := range map[string]bool{"alone": false, "with a reader": true} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				b := broadcast.New[uint64](broadcast.WithCapacity(1))
				k := newBook(t, b, broadcast.WithOverflow(broadcast.Block))
				r.Go("closes", func() { k.s.Close() })
				if others {
					k := newBook(t, b, broadcast.WithOverflow(broadcast.Block))
					r.Go("reader", func() {
						if err := k.read(t.Context(), 2); err != nil {
							t.Error(err)
						}
					})
				}
				r.Go("sender", func() { sendAll(t, b, 2) })
			})
		})
	}
}

// B3, C2: of two senders in line the first one gives up: the other is served, and
// what was not sent is not seen.
func TestExploreSenderGivesUp(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		b := broadcast.New[int](broadcast.WithCapacity(1))
		s, err := b.Subscribe(broadcast.WithOverflow(broadcast.Block))
		if err != nil || b.TrySend(0) != nil {
			t.Error("no room")
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		r.After(func() { cancel(nil) })
		var failed sched.Bool
		r.Go("first", func() {
			if err := b.Send(ctx, 1); err != nil {
				failed.Store(true)
				if err != errGone {
					t.Error(err)
				}
			}
		})
		r.Go("second", func() {
			if err := b.Send(t.Context(), 2); err != nil {
				t.Error(err)
			}
		})
		r.Go("reader", func() {
			sched.Cancel(func() { cancel(errGone) })
			seen := map[int]bool{}
			for !seen[2] {
				v, err := s.Next(t.Context())
				if err != nil || seen[v] {
					t.Errorf("B1: %d, %v", v, err)
				}
				seen[v] = true
			}
			s.Close()
			if seen[1] && failed.Load() {
				t.Error("B3: an error, and the value was sent")
			}
		})
	})
}

// B3, B4: Close meets a sender that waits, and a reader.
func TestExploreCloseMeetsBlock(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		b := broadcast.New[uint64](broadcast.WithCapacity(1))
		k := newBook(t, b, broadcast.WithOverflow(broadcast.Block))
		sent := uint64(0)
		r.Go("sender", func() {
			for ; sent < 2; sent++ {
				if err := b.Send(t.Context(), sent); err != nil {
					if err != broadcast.ErrClosed {
						t.Error(err)
					}
					return
				}
			}
		})
		r.Go("reader", func() {
			if err := k.read(t.Context(), -1); err != broadcast.ErrClosed {
				t.Error(err)
			}
		})
		r.Go("close", func() { b.Close() })
		r.After(func() {
			if k.next != sent {
				t.Errorf("B3: %d sent, %d seen", sent, k.next)
			}
		})
	})
}

// B4: Close frees the senders in line, all of them.
func TestExploreCloseFreesSenders(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		b := broadcast.New[uint64](broadcast.WithCapacity(1))
		newBook(t, b, broadcast.WithOverflow(broadcast.Block))
		for _, name := range []string{"first", "second"} {
			r.Go(name, func() {
				if n, err := b.SendBatch(t.Context(), []uint64{0, 1}); n > 1 || err != broadcast.ErrClosed {
					t.Errorf("%d, %v", n, err)
				}
			})
		}
		r.Go("close", func() { b.Close() })
	})
}

// B1, B2: two senders, one of a batch, and a Block subscription that sees all in
// the order of each of them.
func TestExploreBatchMeetsSend(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		b := broadcast.New[int](broadcast.WithCapacity(2))
		s, err := b.Subscribe(broadcast.WithOverflow(broadcast.Block))
		if err != nil {
			t.Error(err)
		}
		r.Go("batch", func() {
			if n, err := b.SendBatch(t.Context(), []int{1, 2, 3}); n != 3 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		})
		r.Go("send", func() {
			if err := b.Send(t.Context(), 9); err != nil {
				t.Error(err)
			}
		})
		r.Go("reader", func() {
			last, sum := 0, 0
			for range 4 {
				v, err := s.Next(t.Context())
				if err != nil || v < 9 && v != last+1 {
					t.Errorf("B1: %d after %d, %v", v, last, err)
				}
				if v < 9 {
					last = v
				}
				sum += v
			}
			if sum != 15 {
				t.Errorf("B2: %d", sum)
			}
		})
	})
}
