package broadcast_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/testkit"
)

// C1, C6: the channel of a subscription that has ended is closed from the first, and
// Close has nothing to wait for.
func TestC6ChanOfWhatHasEnded(t *testing.T) {
	s := must(broadcast.New[int]().Subscribe())
	must(0, s.Close())
	select {
	case _, open := <-s.Chan(1):
		if open {
			t.Error("a value of nobody")
		}
	default:
		t.Error("the subscription has ended, and its channel is open")
	}
	testkit.Watchdog(t, func() { must(0, s.Close()) })
}

// B2, C6: a subscription that was disconnected says so each time, and nobody is in
// the way of anybody after it.
func TestB2SlowOnceAndForAll(t *testing.T) {
	b := broadcast.New[int](broadcast.WithCapacity(1))
	s := must(b.Subscribe(broadcast.OnOverflow(broadcast.Disconnect)))
	for v := range 3 {
		must(0, b.TrySend(v))
	}
	testkit.Watchdog(t, func() {
		for range 3 {
			if _, err := s.Next(t.Context()); err != broadcast.ErrSlow {
				t.Errorf("Next: %v", err)
			}
		}
		if s.Missed()+s.Backlog() != 3 {
			t.Errorf("%d missed and %d left of 3", s.Missed(), s.Backlog())
		}
		must(0, s.Close())
	})
}

// T1, C2: whether a key has subscriptions or not, its senders are told that their
// context has ended, or the Topics.
func TestT1SendersAreTold(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	topics := broadcast.NewTopics[string, int]()
	is := func(what string, err, want error) {
		t.Helper()
		if err != want {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	send := func(ctx context.Context, want error) {
		t.Helper()
		for _, key := range []string{"a", "nobody"} {
			is("Send to "+key, topics.Send(ctx, key, 1), want)
			n, err := topics.SendBatch(ctx, key, []int{1, 2})
			if is("SendBatch to "+key, err, want); n != 0 {
				t.Errorf("%d sent to %s", n, key)
			}
		}
	}
	s := must(topics.Subscribe("a"))
	send(ctx, cause)
	if s.Backlog() != 0 {
		t.Errorf("%d sent", s.Backlog())
	}
	must(0, topics.Close())
	send(t.Context(), broadcast.ErrClosed)
	is("TrySend", topics.TrySend("nobody", 1), broadcast.ErrClosed)
	_, err := topics.Subscribe("new")
	is("Subscribe", err, broadcast.ErrClosed)
}
