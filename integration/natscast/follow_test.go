package natscast_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/broadcast/natscast"
)

// A follower reads all values and gaps of a broadcast in one process.
type follower struct {
	mu      sync.Mutex
	events  []string // values, and gaps as "gap 3", "gap ?" and "gap 3?"
	values  int
	missed  uint64
	unknown int
}

// follow subscribes. The follower ends with the broadcast.
func follow[T any](t *testing.T, b *natscast.Broadcast[T], opts ...broadcast.SubscribeOption) *follower {
	t.Helper()
	return followOn(t, b, subscribe(t, b, opts...))
}

func subscribe[T any](t *testing.T, b *natscast.Broadcast[T], opts ...broadcast.SubscribeOption) *broadcast.Subscription[T] {
	t.Helper()
	s, err := b.Subscribe(opts...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// followOn is follow for an existing subscription.
func followOn[T any](t *testing.T, b *natscast.Broadcast[T], s *broadcast.Subscription[T]) *follower {
	t.Helper()
	f := new(follower)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			v, err := s.Next(context.Background())
			if !f.note(v, err) {
				return
			}
		}
	}()
	t.Cleanup(func() {
		b.Close()
		<-done
	})
	return f
}

func (f *follower) note(v any, err error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	gap, isGap := errors.AsType[*broadcast.GapError](err)
	switch {
	case err == nil:
		f.values++
		f.events = append(f.events, fmt.Sprint(v))
	case !isGap:
		return false
	default:
		text := "gap "
		if gap.Missed > 0 {
			text += strconv.FormatUint(gap.Missed, 10)
		}
		if gap.AtLeast {
			text += "?"
			f.unknown++
		}
		f.missed += gap.Missed
		f.events = append(f.events, text)
	}
	return true
}

// all returns the events so far.
func (f *follower) all() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.events)
}

// has reports whether an event was read.
func (f *follower) has(event string) bool { return slices.Contains(f.all(), event) }

// sum returns the number of values read or missing.
func (f *follower) sum() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.values + int(f.missed)
}

// missing returns the number of missing values, and of gaps of unknown size.
func (f *follower) missing() (missed uint64, unknown int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.missed, f.unknown
}

// expect waits until the events are want.
func (f *follower) expect(t *testing.T, want ...string) {
	t.Helper()
	diff := ""
	if !within(func() bool {
		diff = cmp.Diff(want, f.all())
		return diff == ""
	}) {
		t.Fatalf("what has come (-want +got):\n%s", diff)
	}
}

// numbers returns from … to-1 in the format of events.
func numbers(from, to int) (s []string) {
	for i := from; i < to; i++ {
		s = append(s, strconv.Itoa(i))
	}
	return s
}

// eventually waits until holds returns true.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	if !within(holds) {
		t.Fatalf("it is not so that %s", what)
	}
}

func within(holds func() bool) bool {
	for limit := time.Now().Add(30 * time.Second); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(limit) {
			return holds()
		}
	}
	return true
}

// send sends the values from … to-1.
func send(t *testing.T, b *natscast.Broadcast[int], from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := b.Send(t.Context(), i); err != nil {
			t.Fatalf("Send(%d): %v", i, err)
		}
	}
}
