package casttest

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/testkit"
)

// B2: at any time, delivered + missed + backlog = values sent since the subscription
// began.
func books(t *testing.T, b *cast) {
	b.put(t, 5)
	type account struct {
		s         *broadcast.Subscription[int]
		delivered uint64
	}
	accounts := map[string]*account{
		"oldest": {s: b.subscribe(t, broadcast.WithReplay(2))},
		"latest": {s: b.subscribe(t, broadcast.WithReplay(2), broadcast.WithOverflow(broadcast.SkipToLatest))},
		"block":  {s: b.subscribe(t, broadcast.WithReplay(2), broadcast.WithOverflow(broadcast.Block))},
	}
	const from = 3
	for round := range 40 {
		b.put(t, 1+round%6)
		for name, a := range accounts {
			reads := (round * 5) % 9
			if name == "block" {
				reads = 100 // otherwise b.put would wait for it
			}
			for range reads {
				if a.s.Backlog() == 0 {
					break
				}
				_, err := a.s.Next(context.Background())
				if err == nil {
					a.delivered++
				} else if _, ok := errors.AsType[*broadcast.GapError](err); !ok {
					t.Fatalf("%s: %v", name, err)
				}
			}
			missed, backlog := a.s.Missed(), a.s.Backlog()
			if sum := a.delivered + missed + backlog; sum != uint64(b.sent-from) {
				t.Fatalf("%s: delivered %d + missed %d + backlog %d, but %d were sent", name, a.delivered, missed, backlog, b.sent-from)
			}
			if name == "block" && missed > 0 {
				t.Fatalf("a Block subscription missed %d", missed)
			}
		}
	}
	if accounts["oldest"].s.Missed() == 0 || accounts["latest"].s.Missed() == 0 {
		t.Error("no subscription missed a value: the test shows nothing")
	}
}

// B2: gaps are where values are missing, and exact; a subscriber that is never further
// behind than the capacity has no gap.
func exactGaps(t *testing.T, b *cast) {
	s := b.subscribe(t)
	b.put(t, 10)
	for i := range 10 {
		next(t, s, i)
	}
	b.put(t, 23) // 13 too many
	if s.Backlog() != 10 || s.Missed() != 13 {
		t.Errorf("backlog %d, missed %d; want 10 and 13", s.Backlog(), s.Missed())
	}
	_, err := s.Next(context.Background())
	if gap, ok := errors.AsType[*broadcast.GapError](err); !ok || gap.Missed != 13 || gap.AtLeast {
		t.Errorf("got %v, want a gap of 13", err)
	}
	next(t, s, 23)
	if s.Position() != 24 {
		t.Errorf("behind number 23 it is at %d", s.Position())
	}
	b.put(t, 17)
	b.Close()
	got, missed := rest(t, s, 24)
	if diff := cmp.Diff([]int{40, 41, 42, 43, 44, 45, 46, 47, 48, 49}, got); diff != "" || missed != 16 {
		t.Errorf("missed %d (-want +got):\n%s", missed, diff)
	}
}

// B2: SkipToLatest continues with the newest value.
func skipToLatest(t *testing.T, b *cast) {
	s := b.subscribe(t, broadcast.WithOverflow(broadcast.SkipToLatest))
	b.put(t, 17)
	b.Close()
	got, missed := rest(t, s, 0)
	if diff := cmp.Diff([]int{16}, got); diff != "" || missed != 16 {
		t.Errorf("missed %d (-want +got):\n%s", missed, diff)
	}
}

// B2: a Disconnect subscription that is too slow ends with ErrSlow, and others do not.
func disconnect(t *testing.T, b *cast) {
	slow := b.subscribe(t, broadcast.WithOverflow(broadcast.Disconnect))
	quick := b.subscribe(t, broadcast.WithOverflow(broadcast.Disconnect))
	b.put(t, 4)
	for i := range 4 {
		next(t, quick, i)
	}
	b.put(t, 1)
	next(t, quick, 4)
	if _, err := slow.Next(context.Background()); err != broadcast.ErrSlow {
		t.Errorf("got %v, want ErrSlow", err)
	}
	if slow.Missed() != 5 {
		t.Errorf("it missed %d, want 5", slow.Missed())
	}
}

// B2: the counts of a subscription that has ended do not change.
func booksAfterTheEnd(t *testing.T, b *cast) {
	s := b.subscribe(t)
	b.put(t, 7)
	if _, err := s.Next(context.Background()); err == nil {
		t.Error("no gap was reported")
	}
	next(t, s, 3)
	s.Close()
	b.put(t, 2)
	if s.Missed() != 3 || s.Backlog() != 3 {
		t.Errorf("missed %d, backlog %d; want 3 and 3", s.Missed(), s.Backlog())
	}
}

// B4: a Block subscription that is much slower than the sender misses nothing.
func blockMissesNothing(t *testing.T, b *cast) {
	const n = 2000
	s := b.subscribe(t, broadcast.WithOverflow(broadcast.Block))
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		b.send(t, n)
	}()
	testkit.Watchdog(t, func() {
		for i := range n {
			if i%100 == 0 {
				eventually(t, "values wait", func() bool { return s.Backlog() == uint64(min(b.capacity, n-i)) })
			}
			next(t, s, i)
		}
		<-sent
	})
	if s.Missed() != 0 {
		t.Errorf("it missed %d", s.Missed())
	}
}

// B4: closing a full Block subscription lets the senders continue, and so does the end
// of its context.
func closingFrees(t *testing.T, b *cast) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	free := b.subscribe(t)
	first := b.subscribe(t, broadcast.WithOverflow(broadcast.Block))
	second := b.subscribe(t, broadcast.WithOverflow(broadcast.Block), broadcast.WithContext(ctx))
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		b.send(t, 10)
	}()
	testkit.Watchdog(t, func() {
		eventually(t, "they are full", func() bool { return first.Backlog() == 3 && second.Backlog() == 3 })
		first.Close()
		if n := free.Missed() + free.Backlog(); n != 3 {
			t.Errorf("%d values have come past a Block subscription that is full", n)
		}
		cancel()
		eventually(t, "all have come", func() bool { return free.Missed()+free.Backlog() == 10 })
		<-sent
	})
}
