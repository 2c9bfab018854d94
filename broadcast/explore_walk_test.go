//go:build points

package broadcast_test

import (
	"testing"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/sched"
)

// B1, B2: a walk and another reader of one subscription share its values, and a sender
// that waits for them goes on.
func TestExploreWalkAndReader(t *testing.T) {
	for _, policy := range []broadcast.OverflowPolicy{broadcast.SkipOldest, broadcast.Block} {
		t.Run(policy.String(), func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				b := broadcast.New[uint64](broadcast.WithCapacity(8))
				s, err := b.Subscribe(broadcast.WithOverflow(policy))
				if err != nil {
					t.Error(err)
				}
				sendAll(t, b, 2)
				var seen [3]sched.Bool
				note := func(v uint64) {
					if seen[v].Swap(true) {
						t.Errorf("%d twice", v)
					}
				}
				r.Go("walk", func() {
					for v, err := range s.All(t.Context()) {
						if err != nil {
							t.Error(err)
						}
						note(v)
						break
					}
				})
				r.Go("reader", func() {
					v, err := s.Next(t.Context())
					if err != nil {
						t.Error(err)
					}
					note(v)
				})
				r.Go("sender", func() {
					if err := b.Send(t.Context(), 2); err != nil {
						t.Error(err)
					}
				})
				r.After(func() {
					if s.Position() != 2 || s.Backlog() != 1 || !seen[0].Load() || !seen[1].Load() {
						t.Errorf("at %d, backlog %d", s.Position(), s.Backlog())
					}
				})
			})
		})
	}
}

// B4: a walk over a full Block subscription frees the sender.
func TestExploreWalkFreesTheSender(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		b := broadcast.New[uint64](broadcast.WithCapacity(1))
		s, err := b.Subscribe(broadcast.WithOverflow(broadcast.Block))
		if err != nil {
			t.Error(err)
		}
		r.Go("walk", func() {
			n := uint64(0)
			for v, err := range s.All(t.Context()) {
				if err != nil || v != n {
					t.Errorf("%d, %v; want %d", v, err, n)
				}
				if n++; n == 3 {
					return
				}
			}
		})
		r.Go("sender", func() { sendAll(t, b, 3) })
	})
}

// B7: a walk yields nothing after Close has returned.
func TestExploreWalkMeetsClose(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		b := broadcast.New[uint64](broadcast.WithCapacity(8))
		s, err := b.Subscribe()
		if err != nil {
			t.Error(err)
		}
		sendAll(t, b, 2)
		var over sched.Uint64 // position at the end, plus 1
		n := uint64(0)
		r.Go("walk", func() {
			for range s.All(t.Context()) {
				n++
			}
		})
		r.Go("close", func() {
			s.Close()
			over.Store(s.Position() + 1)
		})
		r.After(func() {
			if over.Load() != n+1 || s.Backlog() != 2-n {
				t.Errorf("%d values, closed at %d, backlog %d", n, over.Load()-1, s.Backlog())
			}
		})
	})
}

// B8: a Grow subscription that sleeps between values misses none, and its reader may
// send.
func TestExploreGrow(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		b := broadcast.New[uint64](broadcast.WithCapacity(1))
		s, err := b.Subscribe(broadcast.WithOverflow(broadcast.Grow))
		if err != nil {
			t.Error(err)
		}
		r.Go("walk", func() {
			n := 0
			for v, err := range s.All(t.Context()) {
				if err != nil {
					t.Error(err)
				}
				if v < 2 {
					_ = b.TrySend(2)
				}
				if n++; n == 4 {
					return
				}
			}
		})
		r.Go("sender", func() {
			for i := range uint64(2) {
				if err := b.TrySend(i); err != nil {
					t.Error(err)
				}
			}
		})
	})
}

// B1: two senders to one key: its own subscription and those to several keys have one
// order, and readers that sleep are woken.
func TestExploreSeveralKeys(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		x := broadcast.NewTopics[string, int]()
		a, err := x.SubscribeKeys([]string{"room"})
		if err != nil {
			t.Error(err)
		}
		b, err := x.SubscribeFunc(func(key string) bool { return key == "room" })
		if err != nil {
			t.Error(err)
		}
		var first [2]int
		for i, s := range []*broadcast.Subscription[int]{a, b} {
			r.Go([]string{"one", "two"}[i], func() {
				v, err := s.Next(t.Context())
				if err != nil {
					t.Error(err)
				}
				first[i] = v
			})
		}
		for i := range 2 {
			r.Go([]string{"sender", "another"}[i], func() {
				if err := x.TrySend("room", 1+i); err != nil {
					t.Error(err)
				}
			})
		}
		r.After(func() {
			if first[0] != first[1] {
				t.Errorf("one has %d first, the other %d", first[0], first[1])
			}
		})
	})
}

// B1: one of two senders to a key finds a subscription to that key alone, which the other
// does not: those to several keys have one order.
func TestExploreSeveralKeysAndANewOne(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		x := broadcast.NewTopics[string, int]()
		var subs [2]*broadcast.Subscription[int]
		for i := range subs {
			s, err := x.SubscribeKeys([]string{"room"})
			if err != nil {
				t.Error(err)
			}
			subs[i] = s
		}
		send := func(v int) {
			if err := x.TrySend("room", v); err != nil {
				t.Error(err)
			}
		}
		r.Go("sender", func() { send(1) })
		r.Go("another", func() {
			if _, err := x.Subscribe("room"); err != nil {
				t.Error(err)
			}
			send(2)
		})
		r.After(func() {
			var got [2][2]int
			for i, s := range subs {
				if n, err := s.NextBatch(t.Context(), got[i][:]); n != 2 || err != nil {
					t.Errorf("%d values, %v", n, err)
				}
			}
			if got[0] != got[1] {
				t.Errorf("orders %v", got)
			}
		})
	})
}

// B3, B4: senders that wait in line at a key send to subscriptions to several keys, too.
func TestExploreSeveralKeysAndALine(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		x := broadcast.NewTopics[string, int](broadcast.WithCapacity(1))
		block, err := x.Subscribe("room", broadcast.WithOverflow(broadcast.Block))
		if err != nil {
			t.Error(err)
		}
		s, err := x.SubscribeKeys([]string{"room"}, broadcast.WithOverflow(broadcast.Grow))
		if err != nil {
			t.Error(err)
		}
		r.Go("reader", func() {
			for range 2 {
				if _, err := block.Next(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
		r.Go("several", func() {
			for range 2 {
				if _, err := s.Next(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
		for i := range 2 {
			r.Go([]string{"sender", "another"}[i], func() {
				if err := x.Send(t.Context(), "room", i); err != nil {
					t.Error(err)
				}
			})
		}
	})
}
