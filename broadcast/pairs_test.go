package broadcast_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/testkit"
)

func TestFaultFC9HeapReturns(t *testing.T) {
	b := broadcast.New[int](broadcast.WithCapacity(256))
	reads, stalled := must(b.Subscribe()), must(b.Subscribe())
	batch, dst := make([]int, 100), make([]int, 100)
	testkit.HeapReturns(t, func(items int) {
		n := 0
		for range items / len(batch) {
			must(b.SendBatch(t.Context(), batch))
			n += must(reads.NextBatch(t.Context(), dst))
		}
		if n != items {
			t.Fatalf("%d values of %d", n, items)
		}
	})
	if stalled.Missed() == 0 {
		t.Error("the stalled one has missed nothing")
	}
}

// A hub is what pairs of methods work on.
type hub struct {
	ctx    context.Context
	cancel func()
	b      *broadcast.Broadcast[int]
	s      *broadcast.Subscription[int]
	l      *broadcast.Latest[int]
	x      *broadcast.Topics[int, int]
}

// Every pair of methods may be called at once, those that close included. What
// waits for another is ended by its context.
func TestFaultFC10AllPairsAtOnce(t *testing.T) {
	check := func(err error) {
		if err != nil && !errors.Is(err, broadcast.ErrClosed) && !errors.Is(err, broadcast.ErrFull) && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	}
	calls := map[string]func(hub){
		"Broadcast.Close":        func(h hub) { must0(h.b.Close()) },
		"Broadcast.Send":         func(h hub) { check(h.b.Send(h.ctx, 1)) },
		"Broadcast.SendBatch":    func(h hub) { _, err := h.b.SendBatch(h.ctx, []int{1, 2, 3}); check(err) },
		"Broadcast.Stats":        func(h hub) { h.b.Stats() },
		"Broadcast.Subscribe":    func(h hub) { subscribe(t, h) },
		"Broadcast.TrySend":      func(h hub) { check(h.b.TrySend(1)) },
		"Latest.Changes":         func(h hub) { h.l.Set(1); first(h.l.Changes(h.ctx)) },
		"Latest.Get":             func(h hub) { h.l.Get() },
		"Latest.Set":             func(h hub) { h.l.Set(2) },
		"Subscription.Backlog":   func(h hub) { h.s.Backlog() },
		"Subscription.Chan":      func(h hub) { <-h.s.Chan(0) },
		"Subscription.Close":     func(h hub) { must0(h.s.Close()) },
		"Subscription.Missed":    func(h hub) { h.s.Missed() },
		"Subscription.Next":      func(h hub) { _, err := h.s.Next(h.ctx); check(err) },
		"Subscription.NextBatch": func(h hub) { _, err := h.s.NextBatch(h.ctx, make([]int, 2)); check(err) },
		"Subscription.Seq":       func(h hub) { h.s.Seq() },
		"Subscription.All": func(h hub) {
			for range h.s.All(h.ctx) {
				break
			}
		},
		"Topics.Close":     func(h hub) { must0(h.x.Close()) },
		"Topics.Keys":      func(h hub) { first(h.x.Keys()) },
		"Topics.Send":      func(h hub) { check(h.x.Send(h.ctx, 1, 1)) },
		"Topics.SendBatch": func(h hub) { _, err := h.x.SendBatch(h.ctx, 1, []int{1, 2, 3}); check(err) },
		"Topics.Stats":     func(h hub) { h.x.Stats(1) },
		"Topics.TrySend":   func(h hub) { check(h.x.TrySend(1, 1)) },
		"Topics.Subscribe": func(h hub) {
			for key := range 3 { // of which one is there
				s, err := h.x.Subscribe(key)
				if check(err); err == nil {
					must0(s.Close())
				}
			}
		},
	}
	testkit.Complete(t, testkit.Exported(t, "Broadcast", "Subscription", "Latest", "Topics"), calls)
	testkit.Pairs(t, calls, func() hub {
		// Whoever waits for what the other one does not bring waits this long.
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		h := hub{ctx, cancel, broadcast.New[int](broadcast.WithCapacity(1)), nil, new(broadcast.Latest[int]), broadcast.NewTopics[int, int](broadcast.WithCapacity(1))}
		h.s = must(h.b.Subscribe(broadcast.OnOverflow(broadcast.Block), broadcast.WithContext(ctx)))
		must0(h.b.TrySend(0))
		must(h.x.Subscribe(1, broadcast.OnOverflow(broadcast.Block)))
		return h
	}, func(h hub) {
		h.cancel()
		must0(h.b.Close())
		must0(h.s.Close())
		must0(h.x.Close())
	})
}

func subscribe(t *testing.T, h hub) {
	s, err := h.b.Subscribe(broadcast.Replay(1))
	if err != nil {
		if !errors.Is(err, broadcast.ErrClosed) {
			t.Error(err)
		}
		return
	}
	must0(s.Close())
}

func first[T any](seq func(func(T) bool)) { seq(func(T) bool { return false }) }
