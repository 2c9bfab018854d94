package broadcast_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/testkit"
)

// A subscription to several keys, or to those that match, gets what is sent to them and
// nothing else, also to keys that come later.
func TestT5SeveralKeys(t *testing.T) {
	x := broadcast.NewTopics[string, string]()
	one := must(x.Subscribe("a.1"))
	list := must(x.SubscribeKeys([]string{"a.1", "b.1", "a.1"}))
	match := must(x.SubscribeFunc(func(key string) bool { return strings.HasPrefix(key, "a.") }))
	none := must(x.SubscribeKeys(nil))
	must0(x.TrySend("a.1", "1"))
	must0(x.Send(t.Context(), "b.1", "2"))
	must0(x.TrySend("a.2", "3"))
	must(x.SendBatch(t.Context(), "b.2", []string{"4", "4"}))
	must(x.SendBatch(t.Context(), "a.1", []string{"5", "6"}))
	must(x.SendBatch(t.Context(), "a.3", []string{"7", "8"}))
	keys := slices.Sorted(x.Keys())
	must0(x.Close())
	if diff := cmp.Diff([]string{"a.1", "b.1"}, keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	for name, tt := range map[string]struct {
		s    *broadcast.Subscription[string]
		want []string
	}{
		"one": {one, []string{"1", "5", "6"}}, "list": {list, []string{"1", "2", "5", "6"}},
		"match": {match, []string{"1", "3", "5", "6", "7", "8"}}, "none": {none, nil},
	} {
		var got []string
		for v, err := range tt.s.All(t.Context()) {
			got = append(got, must(v, err))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if err := x.TrySend("a.1", "9"); err != broadcast.ErrClosed {
		t.Errorf("after Close: %v", err)
	}
	for _, subscribe := range []func() (*broadcast.Subscription[string], error){
		func() (*broadcast.Subscription[string], error) { return x.SubscribeKeys([]string{"a"}) },
		func() (*broadcast.Subscription[string], error) {
			return x.SubscribeFunc(func(string) bool { return true })
		},
	} {
		if _, err := subscribe(); err != broadcast.ErrClosed {
			t.Errorf("after Close: %v", err)
		}
	}
	testkit.Panics(t, map[string]func(){
		"broadcast: Topics.SubscribeFunc: function must not be nil":             func() { _, _ = x.SubscribeFunc(nil) },
		"broadcast: Topics.SubscribeKeys: policy must not be Block, got Block":  func() { _, _ = x.SubscribeKeys(nil, broadcast.WithOverflow(broadcast.Block)) },
		"broadcast: Topics.SubscribeKeys: key must be equal to itself, got NaN": func() { _, _ = broadcast.NewTopics[float64, int]().SubscribeKeys([]float64{math.NaN()}) },
	})
}

// A subscription to several keys that sleeps is woken, and one that is slow has a gap of
// exact size. C3: the function may use the topics.
func TestT5SeveralWakeAndGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := broadcast.NewTopics[int, int](broadcast.WithCapacity(4))
		s := must(x.SubscribeFunc(func(int) bool { return slices.Collect(x.Keys()) == nil }))
		got := make(chan int)
		go func() { got <- must(s.Next(context.Background())) }()
		synctest.Wait()
		must0(x.TrySend(1, 7))
		if v := <-got; v != 7 {
			t.Errorf("got %d", v)
		}
		for i := range 10 {
			must0(x.TrySend(i, i))
		}
		if gap := gapOf(t, errOf(s)); gap.Missed != 6 || gap.AtLeast {
			t.Errorf("%v", gap)
		}
		if s.Backlog() != 4 || s.Missed() != 6 {
			t.Errorf("backlog %d, missed %d", s.Backlog(), s.Missed())
		}
	})
}

// B3, B4: a Block subscription to one key delays a Send, and then a subscription to
// several keys has not seen the value either.
func TestT5SeveralSeeWhatWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := broadcast.NewTopics[int, int](broadcast.WithCapacity(2))
		one := must(x.Subscribe(1, broadcast.WithOverflow(broadcast.Block)))
		several := must(x.SubscribeKeys([]int{1, 2}, broadcast.WithOverflow(broadcast.Grow)))
		must(x.SendBatch(t.Context(), 1, []int{0, 1}))
		if err := x.TrySend(1, 9); err != broadcast.ErrFull {
			t.Errorf("got %v", err)
		}
		for i := 2; i < 6; i++ {
			go func() { must0(x.Send(context.Background(), 1, i)) }()
			synctest.Wait()
		}
		if n := several.Backlog(); n != 2 {
			t.Errorf("%d values while the senders wait", n)
		}
		for i := range 6 {
			for _, s := range []*broadcast.Subscription[int]{one, several} {
				if v := must(s.Next(t.Context())); v != i {
					t.Errorf("got %d, want %d", v, i)
				}
			}
			synctest.Wait()
		}
	})
}

// A subscription to several keys that returns has a gap, wherever it was.
func TestT5SeveralReturn(t *testing.T) {
	x := broadcast.NewTopics[int, int]()
	for _, was := range []int{0, 1, 5} {
		first := must(x.SubscribeKeys([]int{1, 2}))
		for i := range was {
			must0(x.TrySend(1, i))
			must(first.Next(t.Context()))
		}
		at := first.Position()
		for _, gone := range []bool{false, true} {
			if gone {
				must0(first.Close())
			}
			back := must(x.SubscribeKeys([]int{1, 2}, broadcast.WithStart(at), broadcast.WithReplay(3)))
			if back.Position() <= at {
				t.Errorf("was at %d, is at %d", at, back.Position())
			}
			must0(x.TrySend(2, 7))
			if gap := gapOf(t, errOf(back)); !gap.AtLeast {
				t.Errorf("%v", gap)
			}
			if v := must(back.Next(t.Context())); v != 7 {
				t.Errorf("got %d", v)
			}
			must0(back.Close())
		}
	}
}

// A place may come from the request of a client, and be one at which nothing ever was: there is
// a gap, and no other subscription is the worse for it.
func TestT5SeveralReturnFromNowhere(t *testing.T) {
	for _, at := range []uint64{1<<62 - 1, 1 << 62, math.MaxInt64 - 1, math.MaxInt64, 1 << 63, math.MaxUint64 - 1, math.MaxUint64} {
		x := broadcast.NewTopics[int, int]()
		for range 2 {
			back := must(x.SubscribeKeys([]int{1}, broadcast.WithStart(at)))
			must0(x.TrySend(1, 5))
			if gap := gapOf(t, errOf(back)); !gap.AtLeast {
				t.Errorf("from %d: %v", at, gap)
			}
			if v := must(back.Next(t.Context())); v != 5 {
				t.Errorf("from %d: got %d", at, v)
			}
			must0(back.Close())
		}
		s := must(x.Subscribe(1))
		must0(x.TrySend(1, 6))
		if v := must(s.Next(t.Context())); v != 6 {
			t.Errorf("behind %d: got %d", at, v)
		}
		must0(s.Close())
	}
}

// B1: senders at once: all subscriptions have the values of a key in the same order.
func TestT5OneOrderForAKey(t *testing.T) {
	const senders, each, keys = 4, 300, 3
	x := broadcast.NewTopics[int, int](broadcast.WithCapacity(senders * each * 2))
	odd := func(k int) bool { return k%2 == 1 }
	subs := []*broadcast.Subscription[int]{
		must(x.SubscribeKeys([]int{0, 1, 2})), must(x.SubscribeFunc(odd)), must(x.Subscribe(1)),
		must(x.SubscribeKeys([]int{2, 1})), must(x.SubscribeFunc(func(int) bool { return true })), must(x.Subscribe(0)),
	}
	testkit.Watchdog(t, func() {
		var wg sync.WaitGroup
		for i := range senders {
			wg.Go(func() {
				for n := range each {
					must0(x.Send(t.Context(), n%keys, i*each+n))
				}
			})
		}
		wg.Go(func() { // others come and go
			for range 50 {
				s := must(x.SubscribeKeys([]int{0, 2}))
				runtime.Gosched()
				must0(s.Close())
			}
		})
		wg.Wait()
	})
	must0(x.Close())
	orders := map[int][]int{}
	for i, s := range subs {
		mine := map[int][]int{}
		for v, err := range s.All(t.Context()) {
			must(0, err)
			mine[v%each%keys] = append(mine[v%each%keys], v)
		}
		for key, order := range mine {
			if orders[key] == nil {
				orders[key] = order
			}
			if len(order) != senders*each/keys || !slices.Equal(orders[key], order) {
				t.Errorf("subscription %d has another order of key %d, of %d values", i, key, len(order))
			}
		}
	}
}

// C8: what subscriptions to several keys have cost is gone with them, also if they were
// forgotten.
func TestT5SeveralLeaveNothing(t *testing.T) {
	x := broadcast.NewTopics[int, int]()
	open := func(n int) {
		for i := range n {
			s := must(x.SubscribeKeys([]int{i, i + 1, i}))
			m := must(x.SubscribeFunc(func(k int) bool { return k == i }))
			if i%2 == 0 {
				must0(s.Close())
				must0(m.Close())
			}
		}
	}
	open(100)
	for i := 0; i < 100 && len(slices.Collect(x.Keys())) > 0; i++ {
		runtime.GC()
		runtime.Gosched()
	}
	if keys := slices.Collect(x.Keys()); len(keys) > 0 {
		t.Errorf("keys %v are left", keys)
	}
}

// News of several rooms in one loop.
func ExampleTopics_SubscribeKeys() {
	rooms := broadcast.NewTopics[string, string]()
	sub, _ := rooms.SubscribeKeys([]string{"go", "rust"})
	_ = rooms.TrySend("go", "1.26 is out")
	_ = rooms.TrySend("java", "not subscribed")
	_ = rooms.TrySend("rust", "so is 1.90")
	_ = rooms.Close()
	for v, err := range sub.All(context.Background()) {
		fmt.Println(v, err)
	}
	// Output:
	// 1.26 is out <nil>
	// so is 1.90 <nil>
}

// All rooms of a building, also those that are opened later.
func ExampleTopics_SubscribeFunc() {
	rooms := broadcast.NewTopics[string, int]()
	sub, _ := rooms.SubscribeFunc(func(room string) bool { return strings.HasPrefix(room, "north/") })
	_ = rooms.TrySend("north/1", 21)
	_ = rooms.TrySend("south/1", 25)
	fmt.Println(sub.Next(context.Background()))
	sub.Close()
	_, err := sub.Next(context.Background())
	fmt.Println(errors.Is(err, broadcast.ErrClosed))
	// Output:
	// 21 <nil>
	// true
}
