package broadcast_test

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/testkit"
)

// T1: a value reaches the subscriptions to its key, each of them, and no others.
func TestT1OnlyItsKey(t *testing.T) {
	topics := broadcast.NewTopics[string, int]()
	a1, a2, b := must(topics.Subscribe("a")), must(topics.Subscribe("a")), must(topics.Subscribe("b"))
	must(0, topics.Send(t.Context(), "a", 1))
	must(0, topics.TrySend("b", 2))
	must(topics.SendBatch(t.Context(), "a", []int{3, 4}))
	if n := must(topics.SendBatch(t.Context(), "nobody", []int{3, 4})); n != 2 {
		t.Errorf("%d sent to nobody", n)
	}
	topics.Close()
	for i, want := range [][]int{{1, 3, 4}, {1, 3, 4}, {2}} {
		var got []int
		for _, v := range []*broadcast.Subscription[int]{a1, a2, b}[i].All(t.Context()) {
			got = append(got, v)
		}
		if !slices.Equal(got, want) {
			t.Errorf("subscription %d got %v, want %v", i, got, want)
		}
	}
	if err := topics.Send(t.Context(), "a", 1); err != broadcast.ErrClosed {
		t.Errorf("Send after Close: %v", err)
	}
	if _, err := topics.Subscribe("a"); err != broadcast.ErrClosed {
		t.Errorf("Subscribe after Close: %v", err)
	}
}

// T2: a key is there from its first subscription to its last, however that ends,
// and not without one.
func TestT2GoneWithTheLastSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics := broadcast.NewTopics[string, int](broadcast.WithCapacity(1))
		there := func(key string) bool {
			_, ok := topics.Stats(key)
			return ok
		}
		must(0, topics.Send(t.Context(), "k", 1))
		if there("k") {
			t.Error("there without a subscription")
		}
		ctx, cancel := context.WithCancel(t.Context())
		ends := map[string]func(s *broadcast.Subscription[int]){
			"closed":  func(s *broadcast.Subscription[int]) { s.Close(); s.Close() },
			"context": func(*broadcast.Subscription[int]) { cancel(); synctest.Wait() },
			"slow": func(s *broadcast.Subscription[int]) {
				must(topics.SendBatch(t.Context(), "slow", []int{1, 2, 3}))
				if _, err := s.Next(t.Context()); err != broadcast.ErrSlow {
					t.Errorf("got %v", err)
				}
				s.Close()
			},
		}
		for key, end := range ends {
			opts := []broadcast.SubscribeOption{broadcast.OnOverflow(broadcast.Disconnect)}
			if key == "context" {
				opts = append(opts, broadcast.WithContext(ctx))
			}
			first, last := must(topics.Subscribe(key)), must(topics.Subscribe(key, opts...))
			first.Close()
			if !there(key) {
				t.Errorf("%s: gone before its last subscription", key)
			}
			end(last)
			if there(key) {
				t.Errorf("%s: there after its last subscription", key)
			}
		}
		if keys := slices.Collect(topics.Keys()); len(keys) != 0 {
			t.Errorf("keys %v", keys)
		}
	})
}

// T2, B6: forgotten subscriptions take their keys along.
func TestT2ForgottenKeysAreGone(t *testing.T) {
	topics := broadcast.NewTopics[int, int]()
	for k := range 100 {
		must(topics.Subscribe(k, broadcast.WithContext(t.Context())))
	}
	kept := must(topics.Subscribe(7))
	testkit.Watchdog(t, func() {
		for len(slices.Collect(topics.Keys())) > 1 {
			runtime.GC() // cleanups run on a goroutine of the run time
			runtime.Gosched()
		}
	})
	if keys := slices.Collect(topics.Keys()); !slices.Equal(keys, []int{7}) {
		t.Errorf("keys %v", keys)
	}
	kept.Close()
}

// T2, T3: subscriptions come and go while values are sent; a value sent between
// Subscribe and Close is delivered, and in the end nothing is left.
func TestT3Chaos(t *testing.T) {
	rounds := 2000
	if testing.Short() {
		rounds = 300
	}
	topics := broadcast.NewTopics[int, int](broadcast.WithCapacity(4))
	testkit.Watchdog(t, func() {
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range rounds {
					key, v := i%3, g*rounds+i
					s := must(topics.Subscribe(key, broadcast.OnOverflow(broadcast.Block)))
					var sender sync.WaitGroup
					sender.Go(func() { must(0, topics.Send(t.Context(), key, v)) })
					found := false
					for _, got := range s.All(t.Context()) {
						if found = got == v; found {
							break
						}
					}
					s.Close()
					sender.Wait()
					if !found {
						t.Errorf("value %d was not delivered", v)
					}
				}
			})
		}
		wg.Wait()
	})
	if keys := slices.Collect(topics.Keys()); len(keys) != 0 {
		t.Errorf("keys %v are left", keys)
	}
}

// B4, C2: a sender to a key waits for its Block subscriptions only, and is freed
// when the last one goes.
func TestT3SenderIsFreed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics := broadcast.NewTopics[string, int](broadcast.WithCapacity(1))
		s := must(topics.Subscribe("full", broadcast.OnOverflow(broadcast.Block)))
		must(0, topics.TrySend("full", 1))
		if err := topics.TrySend("full", 2); err != broadcast.ErrFull {
			t.Errorf("got %v", err)
		}
		must(0, topics.TrySend("other", 2))
		start := time.Now()
		time.AfterFunc(time.Minute, func() { s.Close() })
		if err := topics.Send(t.Context(), "full", 3); err != nil || time.Since(start) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// C5: misuse of Topics.
func TestTopicsMisuse(t *testing.T) {
	topics := broadcast.NewTopics[float64, int]()
	var none context.Context
	testkit.Panics(t, map[string]func(){
		"broadcast: Topics.Send: context must not be nil":                   func() { _ = topics.Send(none, 1, 1) },
		"broadcast: Topics.SendBatch: context must not be nil":              func() { _, _ = topics.SendBatch(none, 1, nil) },
		"broadcast: Topics.Subscribe: key must be equal to itself, got NaN": func() { _, _ = topics.Subscribe(math.NaN()) },
	})
}

// Rooms of a chat: who is in a room hears what is said there.
func ExampleTopics() {
	ctx := context.Background()
	rooms := broadcast.NewTopics[string, string]()
	kitchen, _ := rooms.Subscribe("kitchen")
	_ = rooms.Send(ctx, "kitchen", "tea is ready")
	_ = rooms.Send(ctx, "attic", "nobody hears this")
	fmt.Println(kitchen.Next(ctx))
	fmt.Println(slices.Collect(rooms.Keys()))
	kitchen.Close()
	fmt.Println(slices.Collect(rooms.Keys()))
	// Output:
	// tea is ready <nil>
	// [kitchen]
	// []
}
