//go:build points

package broadcast_test

import (
	"context"
	"slices"
	"testing"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/sched"
)

// A walk over a Latest sees the last value, and never an older one after a newer.
func TestExploreLatest(t *testing.T) {
	for name, walks := range map[string][]string{"one": {"walk"}, "two": {"walk", "another"}} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				var l broadcast.Latest[int]
				changes := l.Changes(t.Context())
				for _, name := range walks {
					r.Go(name, func() {
						last := 0
						for v := range changes {
							if v <= last {
								t.Errorf("%d after %d", v, last)
							}
							if last = v; v == 2 {
								return
							}
						}
					})
				}
				r.Go("set", func() {
					l.Set(1)
					l.Set(2)
				})
			})
		})
	}
}

// C2: a walk ends with its context, and another goes on.
func TestExploreLatestGivesUp(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		var l broadcast.Latest[int]
		ctx, cancel := context.WithCancel(t.Context())
		r.Go("gives up", func() {
			for range l.Changes(ctx) {
			}
		})
		changes := l.Changes(t.Context())
		r.Go("walk", func() {
			for range changes {
				return
			}
		})
		r.Go("cancel and set", func() {
			sched.Cancel(cancel)
			l.Set(1)
		})
	})
}

// Who has subscribed to a topic gets what is sent to it from then on, though the
// one before leaves meanwhile; a topic is gone with its last subscription.
func TestExploreTopics(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		topics := broadcast.NewTopics[string, int]()
		leaves, err := topics.Subscribe("room")
		if err != nil {
			t.Error(err)
		}
		var s sched.Pointer[broadcast.Subscription[int]]
		r.Go("leaves", func() { leaves.Close() })
		r.Go("comes", func() {
			got, err := topics.Subscribe("room")
			if err != nil {
				t.Error(err)
			}
			s.Store(got)
		})
		r.Go("sender", func() {
			before := s.Load()
			if err := topics.TrySend("room", 1); err != nil {
				t.Error(err)
			}
			if before != nil && before.Backlog() != 1 {
				t.Error("B2: a value has gone elsewhere")
			}
		})
		r.After(func() {
			if err := topics.TrySend("room", 2); err != nil {
				t.Error(err)
			}
			s := s.Load()
			if s.Backlog() == 0 {
				t.Error("B2: nobody sends where the subscription is")
			}
			s.Close()
			if keys := slices.Collect(topics.Keys()); len(keys) > 0 {
				t.Errorf("C8: %v are left", keys)
			}
		})
	})
}

// T4: a subscriber that leaves and returns gets what was sent meanwhile, or a gap,
// though the topic goes and another subscriber makes it anew.
func TestExploreTopicsReturn(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		topics := broadcast.NewTopics[string, int]()
		leaves, err := topics.Subscribe("room")
		if err != nil {
			t.Error(err)
		}
		read, at := uint64(0), uint64(0)
		r.Go("leaves", func() {
			for leaves.Backlog() > 0 {
				if _, err := leaves.Next(t.Context()); err != nil {
					t.Error(err)
				}
				read++
			}
			at = leaves.Position()
			leaves.Close()
		})
		var stays *broadcast.Subscription[int]
		r.Go("comes", func() {
			got, err := topics.Subscribe("room")
			if err != nil {
				t.Error(err)
			}
			stays = got
		})
		r.Go("sender", func() {
			for v := range 2 {
				if err := topics.TrySend("room", v); err != nil {
					t.Error(err)
				}
			}
		})
		r.After(func() {
			back, err := topics.Subscribe("room", broadcast.WithStart(at))
			if err != nil {
				t.Fatal(err)
			}
			if got := read + back.Backlog(); back.Missed() == 0 && got != 2 {
				t.Errorf("T4: %d read, %d left, no gap", read, back.Backlog())
			}
			back.Close()
			stays.Close()
		})
	})
}

// Close of Topics meets a subscriber: it is refused, or gets to the end.
func TestExploreTopicsClose(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		topics := broadcast.NewTopics[string, int]()
		r.Go("close", func() { topics.Close() })
		r.Go("subscriber", func() {
			s, err := topics.Subscribe("room")
			if err == nil {
				_, err = s.Next(t.Context())
				s.Close()
			}
			if err != broadcast.ErrClosed {
				t.Error(err)
			}
		})
		r.After(func() {
			if keys := slices.Collect(topics.Keys()); len(keys) > 0 {
				t.Errorf("C8: %v are left", keys)
			}
		})
	})
}

// B2, C1: the goroutine of Chan hands over what it can, the books say what, and
// Close ends it.
func TestExploreChan(t *testing.T) {
	for name, leaves := range map[string]bool{"the reader stays": false, "the reader leaves": true} {
		t.Run(name, func(t *testing.T) { exploreChan(t, leaves) })
	}
}

func exploreChan(t *testing.T, leaves bool) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		b := broadcast.New[uint64](broadcast.WithCapacity(4))
		k := newBook(t, b)
		var ch <-chan uint64
		r.Go("reader", func() {
			ch = broadcast.Chan(k.s, 0)
			if leaves {
				return
			}
			for v := range ch {
				if v != k.next {
					t.Errorf("B1: got %d, want %d", v, k.next)
				}
				k.next++
				k.got = append(k.got, v)
			}
		})
		var before, after uint64 // how many were sent when it was closed
		r.Go("sender", func() { sendAll(t, b, 2) })
		r.Go("close", func() {
			before = b.Stats().Sent
			k.s.Close()
			after = b.Stats().Sent
		})
		r.After(func() {
			if _, open := <-ch; open {
				t.Error("C1: a value after Close")
			}
			if all := uint64(len(k.got)) + k.s.Backlog(); all < before || all > after {
				t.Errorf("B2: %v, and %d left of %d to %d", k.got, k.s.Backlog(), before, after)
			}
		})
	})
}

// B2: a gap that is reported is seen where it is, by one that reads or sleeps, and
// by one that must skip it.
func TestExploreReportedGap(t *testing.T) {
	for name, capacity := range map[string]int{"it keeps up": 4, "it skips": 1} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				b := broadcast.New[uint64](broadcast.WithCapacity(capacity))
				s, err := b.Subscribe()
				if err != nil {
					t.Fatal(err)
				}
				r.Go("reader", func() {
					next, missed := uint64(0), uint64(0) // the values are 0, then 10, 11
					for {
						v, err := s.Next(t.Context())
						if gap, ok := err.(*broadcast.GapError); ok {
							next, missed = next+gap.Missed, missed+gap.Missed
							continue
						}
						if err != nil {
							break
						}
						if v != next {
							t.Errorf("B2: got %d, want %d", v, next)
						}
						next++
					}
					if next != 12 || capacity == 4 && missed != 9 || missed != s.Missed() {
						t.Errorf("B2: it ended at %d, told of %d, missed %d", next, missed, s.Missed())
					}
				})
				r.Go("sender", func() {
					_ = b.TrySend(0)
					_ = b.ReportGap(9)
					_ = b.TrySend(10)
					_ = b.TrySend(11)
					b.Close()
				})
				r.Go("books", func() {
					st := b.Stats()
					if k := st.Subscriptions[0]; k.Delivered+k.Missed+k.Backlog != st.Sent+st.Lost {
						t.Errorf("B2: %+v", st)
					}
				})
			})
		})
	}
}

// A gap wakes one that is about to sleep, though nothing is sent.
func TestExploreReportedGapWakes(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		b := broadcast.New[uint64]()
		s, err := b.Subscribe()
		if err != nil {
			t.Fatal(err)
		}
		r.Go("reader", func() {
			for missed := uint64(0); missed < 3; { // in one gap or in two
				_, err := s.Next(t.Context())
				gap, ok := err.(*broadcast.GapError)
				if !ok {
					t.Errorf("got %v", err)
					return
				}
				missed += gap.Missed
			}
		})
		r.Go("sender", func() {
			_ = b.ReportGap(1)
			_ = b.ReportGap(2)
		})
	})
}

// B2: the log may move on, and forget gaps, while a subscription looks where it is.
func TestExploreGapsAreForgotten(t *testing.T) {
	looks := map[string]func(k *book) uint64{
		"Missed": func(k *book) uint64 { return k.s.Missed() },
		"Next": func(k *book) uint64 {
			_ = k.read(context.Background(), -1)
			return k.missed
		},
	}
	for name, look := range looks {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				b := broadcast.New[uint64](broadcast.WithCapacity(1))
				k := newBook(t, b)
				_ = b.ReportGap(5)
				_ = b.TrySend(5)
				if err := k.read(t.Context(), 1); err != nil {
					t.Error(err)
				}
				r.Go("reader", func() {
					if missed := look(k); missed < 5 || missed > 5+1+1+3 {
						t.Errorf("B2: %d missed", missed)
					}
				})
				r.Go("sender", func() {
					_ = b.TrySend(6)
					_ = b.ReportGap(1)
					_ = b.TrySend(8)
					_ = b.TrySend(9)
					_ = b.ReportGap(1) // the first gap is forgotten
					_ = b.Close()
				})
			})
		})
	}
}
