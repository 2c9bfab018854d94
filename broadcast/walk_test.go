package broadcast_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/testkit"
)

// B2: during a walk, and after it was left, position, backlog and books are those of a
// reader that takes one value at a time.
func TestB2BooksDuringAWalk(t *testing.T) {
	b := broadcast.New[int](broadcast.WithCapacity(1000))
	s := must(b.Subscribe(broadcast.WithName("walk")))
	send(t, b, 0, 700)
	read := 0
	check := func() {
		t.Helper()
		st := b.Stats().Subscriptions[0]
		want := broadcast.SubscriptionStats{Name: "walk", Delivered: uint64(read), Backlog: uint64(700 - read)}
		if st != want || s.Position() != uint64(read) || s.Backlog() != want.Backlog || s.Missed() != 0 {
			t.Fatalf("%+v at %d, want %+v", st, s.Position(), want)
		}
	}
	for _, leave := range []int{1, 2, 3, 200, 255, 256, 257, 300, 512, 513, 690} {
		for v, err := range s.All(t.Context()) {
			if v != read || err != nil {
				t.Fatalf("got %d, %v; want %d", v, err, read)
			}
			read++
			check()
			if read >= leave {
				break
			}
		}
		check()
		if v, err := s.Next(t.Context()); v != read || err != nil {
			t.Fatalf("Next: %d, %v; want %d", v, err, read)
		}
		read++
		check()
	}
}

// B1: another reader in the body of a walk takes the next value, and the walk goes on
// behind it.
func TestB1ReadersInAWalk(t *testing.T) {
	b := broadcast.New[int]()
	s := must(b.Subscribe())
	send(t, b, 0, 100)
	must0(b.Close())
	var got []int
	for v, err := range s.All(t.Context()) {
		got = append(got, v)
		switch {
		case err != nil:
			t.Error(err)
		case v%7 == 0:
			v, err := s.Next(t.Context())
			got = append(got, v)
			must(0, err)
		case v%11 == 0:
			dst := make([]int, 5)
			n, err := s.NextBatch(t.Context(), dst)
			got = append(got, dst[:n]...)
			if !errors.Is(err, broadcast.ErrClosed) {
				must(0, err)
			}
		}
	}
	for i, v := range got {
		if i != v {
			t.Fatalf("value %d at %d", v, i)
		}
	}
	if len(got) != 100 {
		t.Errorf("%d values, want 100", len(got))
	}
}

// B2: what a walk yields of errors: a gap in its place, then it goes on; any other error
// last; nothing for ErrClosed.
func TestB2ErrorsOfAWalk(t *testing.T) {
	enough := errors.New("enough")
	ended, cancel := context.WithCancelCause(t.Context())
	own, end := context.WithCancelCause(context.Background())
	defer end(nil)
	for name, tt := range map[string]struct {
		policy broadcast.OverflowPolicy
		ctx    context.Context
		at     func() // called with the first value
		want   []string
	}{
		"closed":     {want: []string{"6 missed", "6", "7", "8", "9"}, ctx: t.Context()},
		"latest":     {policy: broadcast.SkipToLatest, want: []string{"9 missed", "9"}, ctx: t.Context()},
		"disconnect": {policy: broadcast.Disconnect, want: []string{broadcast.ErrSlow.Error()}, ctx: t.Context()},
		"ctx":        {at: func() { cancel(enough) }, want: []string{"6 missed", "6", "enough"}, ctx: ended},
		"own":        {at: func() { end(enough) }, want: []string{"6 missed", "6", "broadcast: closed: enough"}, ctx: t.Context()},
	} {
		b := broadcast.New[int](broadcast.WithCapacity(4))
		s := must(b.Subscribe(broadcast.WithOverflow(tt.policy), broadcast.WithContext(own)))
		if name != "own" {
			s = must(b.Subscribe(broadcast.WithOverflow(tt.policy)))
		}
		send(t, b, 0, 10)
		must0(b.Close())
		var got []string
		for v, err := range s.All(tt.ctx) {
			gap, isGap := errors.AsType[*broadcast.GapError](err)
			switch {
			case isGap:
				got = append(got, fmt.Sprint(gap.Missed, " missed"))
			case err != nil:
				got = append(got, err.Error())
			default:
				got = append(got, fmt.Sprint(v))
				if tt.at != nil {
					tt.at()
				}
			}
			if err != nil && v != 0 {
				t.Errorf("%s: %d with an error", name, v)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// B1: walks, Next and NextBatch of one subscription, at once: each value goes to one
// reader, and each reader sees increasing numbers.
func TestB1WalksShareASubscription(t *testing.T) {
	const n = 20_000
	b := broadcast.New[int](broadcast.WithCapacity(64))
	s := must(b.Subscribe(broadcast.WithOverflow(broadcast.Block)))
	seen := testkit.NewLedger(n)
	var wg sync.WaitGroup
	for i := range 4 {
		last := -1
		note := func(v int) {
			if v <= last {
				t.Errorf("%d after %d", v, last)
			}
			last = v
			seen.Note(v)
		}
		wg.Go(func() {
			for k := 0; ; k++ {
				if i == 3 {
					dst := make([]int, 5)
					m, err := s.NextBatch(t.Context(), dst)
					if err != nil {
						return
					}
					for _, v := range dst[:m] {
						note(v)
					}
					continue
				}
				left := false
				for v := range s.All(t.Context()) {
					note(v)
					if left = v%(10+i) == 0; left {
						break
					}
				}
				if !left {
					return
				}
			}
		})
	}
	testkit.Watchdog(t, func() {
		send(t, b, 0, n)
		must0(b.Close())
		wg.Wait()
	})
	seen.ExactlyOnce(t)
	if s.Backlog() != 0 || s.Position() != n {
		t.Errorf("backlog %d at %d", s.Backlog(), s.Position())
	}
}

// B4: a walk frees the sender with each value that it takes of a full Block
// subscription, and with no more.
func TestB4AWalkFreesTheSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int](broadcast.WithCapacity(8))
		s := must(b.Subscribe(broadcast.WithOverflow(broadcast.Block)))
		send(t, b, 0, 8)
		go func() {
			send(t, b, 8, 100)
			must0(b.Close())
		}()
		synctest.Wait()
		n := uint64(0)
		for v, err := range s.All(t.Context()) {
			must(v, err)
			n++
			synctest.Wait()
			if sent := b.Stats().Sent; sent != min(n+8, 100) {
				t.Fatalf("%d were sent when %d were read", sent, n)
			}
		}
		if n != 100 {
			t.Errorf("%d values", n)
		}
	})
}

// C1, B7: nothing is yielded after Close has returned, though it was in hand.
func TestB7NothingInAWalkAfterClose(t *testing.T) {
	b := broadcast.New[int]()
	s := must(b.Subscribe())
	send(t, b, 0, 100)
	n := 0
	for range s.All(t.Context()) {
		n++
		must0(s.Close())
	}
	if n != 1 || s.Backlog() != 99 || s.Position() != 1 {
		t.Errorf("%d values, backlog %d at %d", n, s.Backlog(), s.Position())
	}
}
