package spsc_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/tandemgo/tandem/internal/spsc"
)

// wired returns a ring that signals on these channels.
func wired(capacity int) (l *spsc.Ring[int], room, ready chan struct{}) {
	l = spsc.New[int](capacity)
	room, ready = make(chan struct{}, 1), make(chan struct{}, 1)
	l.ParkOn(room, ready)
	return l, room, ready
}

// A sender that sleeps is woken once, when half of the ring is free.
func TestSenderIsWokenAtHalf(t *testing.T) {
	l, room, _ := wired(9)
	for l.TryPush(0) {
	}
	if !l.ArmPush(1) {
		t.Fatal("there is room in a full ring")
	}
	for taken := 1; taken <= 10; taken++ {
		l.TryPop()
		l.More()
		if woken := len(room) > 0; woken != (taken == 5) {
			t.Errorf("%d taken: woken is %v", taken, woken)
		}
		if taken == 5 {
			<-room
		}
	}
}

// A sender that needs more room than half of the ring is woken when it is there.
func TestSenderIsWokenForItsNeed(t *testing.T) {
	l, room, _ := wired(9)
	for l.TryPush(0) {
	}
	if !l.ArmPush(8) {
		t.Fatal("there is room in a full ring")
	}
	for taken := 1; taken <= 8; taken++ {
		if len(room) > 0 {
			t.Errorf("woken with %d taken", taken-1)
		}
		l.TryPop()
		l.More()
	}
	if len(room) == 0 {
		t.Error("not woken with 8 taken")
	}
}

// Nobody is signalled who does not sleep: not one who found that it need not,
// nor one who has left.
func TestNoSignalToTheAwake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		silent := func(what string, signal chan struct{}) {
			t.Helper()
			if len(signal) > 0 {
				t.Error(what, "is signalled")
			}
		}

		l, room, ready := wired(0)
		_ = l.ArmPush(1) // there is room
		l.TryPush(1)
		_ = l.ArmPop() // there is an item
		l.TryPop()
		l.More()
		silent("a sender that found room", room)
		l.TryPush(2)
		silent("a receiver that found an item", ready)

		l, room, _ = wired(0)
		l.TryPush(1)
		_ = l.Push(ended, 2)
		l.TryPop()
		l.More()
		silent("a sender that has left", room)

		l, _, ready = wired(0)
		_, _, _ = l.Pop(ended)
		l.TryPush(1)
		silent("a receiver that has left", ready)
	})
}

// An ended context counts, not the function that has Await return early.
func TestContextGoesBeforeEarly(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	l := spsc.New[int](0)
	if ok, early, err := l.Await(ctx, func() bool { return false }); ok || early || err != cause {
		t.Errorf("%v, %v, %v", ok, early, err)
	}
}

// The receiver of a ring that has not grown gives back what it takes, but for
// the item in hand, and rests after each.
func TestReceiverGivesBack(t *testing.T) {
	l := spsc.New[int](9)
	for l.TryPush(0) {
	}
	for taken := range 10 {
		if l.TryPop(); l.Freed() != uint64(taken) || !l.Fresh() {
			t.Errorf("%d taken before: %d freed, rested %v", taken, l.Freed(), l.Fresh())
		}
	}
}
