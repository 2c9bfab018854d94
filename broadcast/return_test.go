package broadcast_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/casttest"
	"github.com/tandemgo/tandem/internal/testkit"
)

// gapOf returns the gap that err is, and fails the test if it is none.
func gapOf(t testing.TB, err error) broadcast.GapError {
	t.Helper()
	gap, ok := errors.AsType[*broadcast.GapError](err)
	if !ok {
		t.Fatalf("got %v, want a gap", err)
	}
	return *gap
}

// life lets a topic live once: n values are sent to it, of which its only subscriber
// reads some. It returns where that one was when it left.
func life(t testing.TB, x *broadcast.Topics[string, int], key string, n, read int) (at uint64) {
	t.Helper()
	s := must(x.Subscribe(key))
	sendTo(t, func(v int) error { return x.TrySend(key, v) }, 0, n)
	for range read {
		must(s.Next(t.Context()))
	}
	at = s.Position()
	must0(s.Close())
	return at
}

// T4: a subscriber that returns to a topic that was made anew since is told of a gap,
// wherever it was in the former life and however far the new one has come.
func TestT4AReturnToATopicMadeAnewIsAGap(t *testing.T) {
	const capacity = 8
	policies := []broadcast.OverflowPolicy{broadcast.SkipOldest, broadcast.SkipToLatest, broadcast.Block, broadcast.Disconnect}
	for _, read := range []int{0, 3, 5} {
		for _, others := range []int{0, 2, 30} { // values of another topic that is gone
			for now := range 20 { // values of the new life
				for _, policy := range policies {
					for _, lives := range []int{1, 2, 3} {
						name := fmt.Sprintf("%d read, %d elsewhere, %d now, policy %d, %d lives", read, others, now, policy, lives)
						x := broadcast.NewTopics[string, int](broadcast.WithCapacity(capacity))
						at := life(t, x, "room", 5, read)
						for range lives - 1 {
							life(t, x, "room", 2, 1)
						}
						life(t, x, "attic", others, 0)
						must0(x.TrySend("room", -1)) // nobody is there
						stays := must(x.Subscribe("room"))
						sendTo(t, func(v int) error { return x.TrySend("room", v) }, 100, 100+now)
						st, _ := x.Stats("room")
						if st.Sent != uint64(now) || st.Lost != 0 || st.Retained != min(now, capacity) || stays.Missed()+stays.Backlog() != uint64(now) {
							t.Fatalf("%s: %+v", name, st)
						}
						s := must(x.Subscribe("room", broadcast.WithStart(at), broadcast.WithOverflow(policy), broadcast.WithReplay(1)))
						missed := s.Missed()
						if missed+s.Backlog() != uint64(now)+1 {
							t.Fatalf("%s: %d missed, %d left", name, missed, s.Backlog())
						}
						_, err := s.Next(t.Context())
						if gap := gapOf(t, err); !gap.AtLeast || gap.Missed == 0 || gap.Missed != missed {
							t.Fatalf("%s: got %v, %d missed", name, err, missed)
						}
						must0(x.Close())
						next := 100 + int(missed) - 1
						for gap, v := range casttest.WithGaps(s.All(t.Context())) { // the gap was told
							if gap > 0 || v != next || s.Missed() != missed {
								t.Fatalf("%s: got %d after a gap of %d; %d missed", name, v, gap, s.Missed())
							}
							next++
						}
						if next != 100+now {
							t.Fatalf("%s: ended at %d", name, next)
						}
					}
				}
			}
		}
	}
}

// T4: every way to read tells of it: All with the value, Missed for Chan, and at once,
// though nothing is sent.
func TestT4EveryWayTellsOfTheGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := broadcast.NewTopics[string, int]()
		at := life(t, x, "room", 5, 5)
		back := func() *broadcast.Subscription[int] { return must(x.Subscribe("room", broadcast.WithStart(at))) }
		first := back() // which makes the topic anew
		gapOf(t, second(first.Next(t.Context())))
		gapOf(t, second(back().NextBatch(t.Context(), make([]int, 4))))
		walk, ch := back(), back()
		if ch.Missed() == 0 {
			t.Error("Missed says nothing")
		}
		var missed uint64
		go func() {
			for gap := range casttest.WithGaps(walk.All(t.Context())) {
				missed = gap
				return
			}
		}()
		synctest.Wait()
		must0(x.TrySend("room", 5))
		synctest.Wait()
		if missed == 0 {
			t.Error("All says nothing")
		}
		if v := <-broadcast.Chan(ch, 0); v != 5 {
			t.Errorf("got %d", v)
		}
		must0(ch.Close())
	})
}

func second[T any](_ T, err error) error { return err }

// T4: one that was in this life of the topic has no gap that it was not too slow for,
// also if it was there from the first and has read nothing.
func TestT4NoGapWithinALife(t *testing.T) {
	for lives := range 4 {
		x := broadcast.NewTopics[string, int](broadcast.WithCapacity(4))
		for range lives {
			life(t, x, "room", 3, 1)
		}
		stays := must(x.Subscribe("room"))
		leaves := must(x.Subscribe("room"))
		places := []uint64{leaves.Position()}
		for v := range 4 {
			must0(x.TrySend("room", v))
			must(leaves.Next(t.Context()))
			places = append(places, leaves.Position())
		}
		must0(leaves.Close())
		for i, at := range places {
			s := must(x.Subscribe("room", broadcast.WithStart(at)))
			if s.Position() != at || s.Missed() != 0 || s.Backlog() != uint64(4-i) {
				t.Errorf("%d lives, place %d: at %d, %d missed, %d left", lives, at, s.Position(), s.Missed(), s.Backlog())
			}
			if i < 4 {
				if v, err := s.Next(t.Context()); v != i || err != nil {
					t.Errorf("got %d, %v", v, err)
				}
			}
		}
		sendTo(t, func(v int) error { return x.TrySend("room", v) }, 4, 7)
		s := must(x.Subscribe("room", broadcast.WithStart(places[1])))
		if gap := gapOf(t, second(s.Next(t.Context()))); gap != (broadcast.GapError{Missed: 2}) {
			t.Errorf("one that was too slow: %+v", gap)
		}
		for n := range 6 {
			if s := must(x.Subscribe("room", broadcast.WithReplay(n))); s.Missed() != 0 || s.Backlog() != uint64(min(n, 4)) {
				t.Errorf("Replay(%d): %d missed, %d left", n, s.Missed(), s.Backlog())
			}
		}
		if stays.Missed() != 3 {
			t.Errorf("missed %d", stays.Missed())
		}
	}
}

// T4: places never repeat, however a topic goes: closed, by its context, as too slow,
// or forgotten and collected.
func TestT4PlacesNeverRepeat(t *testing.T) {
	x := broadcast.NewTopics[string, int](broadcast.WithCapacity(2))
	ctx, cancel := context.WithCancel(t.Context())
	ends := map[string]func(s *broadcast.Subscription[int]){
		"closed":  func(s *broadcast.Subscription[int]) { must0(s.Close()) },
		"context": func(s *broadcast.Subscription[int]) { cancel(); s.Position() },
		"slow": func(s *broadcast.Subscription[int]) {
			must(x.SendBatch(t.Context(), "slow", []int{7, 7, 7}))
			_, _ = s.Next(t.Context())
		},
		"forgotten": func(*broadcast.Subscription[int]) {},
	}
	for key, end := range ends {
		opts := []broadcast.SubscribeOption{broadcast.WithOverflow(broadcast.Disconnect)}
		if key == "context" {
			opts = append(opts, broadcast.WithContext(ctx))
		}
		var at uint64
		func() {
			s := must(x.Subscribe(key, opts...))
			must(x.SendBatch(t.Context(), key, []int{1, 2}))
			must(s.Next(t.Context()))
			at = s.Position()
			end(s)
		}()
		testkit.Watchdog(t, func() {
			for slices.Contains(slices.Collect(x.Keys()), key) {
				runtime.GC()
				runtime.Gosched()
			}
		})
		must(x.Subscribe(key)) // makes it anew
		must(x.SendBatch(t.Context(), key, []int{1, 2}))
		s := must(x.Subscribe(key, broadcast.WithStart(at)))
		if gap := gapOf(t, second(s.Next(t.Context()))); !gap.AtLeast {
			t.Errorf("%s: %+v", key, gap)
		}
	}
}

// T4: gaps that are reported in a topic made anew are where they are.
func TestT4ReportedGapsOfALaterLife(t *testing.T) {
	for _, former := range []bool{false, true} {
		b := broadcast.New[int](broadcast.WithCapacity(4))
		from := uint64(0)
		if former {
			from = 99 // never sent
		}
		must0(b.ReportGap(2))
		s := must(b.Subscribe(broadcast.WithStart(from)))
		gap := gapOf(t, second(s.Next(t.Context())))
		if gap != (broadcast.GapError{Missed: 2, AtLeast: former}) {
			t.Errorf("%+v", gap)
		}
		must0(b.ReportGap(3))
		if gap := gapOf(t, second(s.Next(t.Context()))); gap != (broadcast.GapError{Missed: 3}) {
			t.Errorf("%+v", gap)
		}
	}
}

// B7: a place that this broadcast has never come to is one of another broadcast, such
// as that of the program before it was restarted: it is a gap of unknown size in front
// of the next value.
func TestB7FromBeyondTheEndIsAGap(t *testing.T) {
	policies := []broadcast.OverflowPolicy{broadcast.SkipOldest, broadcast.SkipToLatest, broadcast.Block, broadcast.Disconnect}
	for _, policy := range policies {
		for sent := range 12 {
			for beyond := range 3 {
				b := broadcast.New[int](broadcast.WithCapacity(4))
				send(t, b, 0, sent)
				s := must(b.Subscribe(broadcast.WithStart(uint64(sent+beyond)), broadcast.WithOverflow(policy)))
				if s.Position() != uint64(sent) || s.Missed() != 0 || s.Backlog() != 0 {
					t.Errorf("at %d, %d missed, %d left", s.Position(), s.Missed(), s.Backlog())
				}
				send(t, b, sent, sent+1)
				if beyond > 0 {
					if gap := gapOf(t, second(s.Next(t.Context()))); gap != (broadcast.GapError{AtLeast: true}) {
						t.Errorf("policy %d, %d sent, %d beyond: %+v", policy, sent, beyond, gap)
					}
				}
				if v, err := s.Next(t.Context()); v != sent || err != nil {
					t.Errorf("policy %d, %d sent, %d beyond: %d, %v", policy, sent, beyond, v, err)
				}
				if st := b.Stats(); len(st.Subscriptions) > 1 || s.Missed() != 0 {
					t.Errorf("%+v", st)
				}
			}
		}
	}
	// One that falls behind before it reads is told of both at once.
	b := broadcast.New[int](broadcast.WithCapacity(4))
	s := must(b.Subscribe(broadcast.WithStart(50)))
	send(t, b, 0, 10)
	if gap := gapOf(t, second(s.Next(t.Context()))); gap != (broadcast.GapError{Missed: 6, AtLeast: true}) {
		t.Errorf("%+v", gap)
	}
	if v, err := s.Next(t.Context()); v != 6 || err != nil {
		t.Errorf("%d, %v", v, err)
	}
}
