package broadcast_test

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/tandemgo/tandem/broadcast"
)

// Two users receive five messages, each in order.
func Example() {
	ctx := context.Background()
	b := broadcast.New[string]()
	var wg sync.WaitGroup
	received := map[string][]string{"user1": nil, "user2": nil}
	var mu sync.Mutex
	for name := range received {
		sub, err := b.Subscribe(broadcast.Name(name))
		if err != nil {
			fmt.Println(err)
			return
		}
		wg.Go(func() {
			for _, msg := range sub.All(ctx) {
				mu.Lock()
				received[name] = append(received[name], msg)
				mu.Unlock()
			}
		})
	}
	for i := 1; i <= 5; i++ {
		if err := b.Send(ctx, fmt.Sprintf("Message %d", i)); err != nil {
			fmt.Println(err)
		}
	}
	b.Close() // both read what is left, then their loops end
	wg.Wait()
	fmt.Println(len(received["user1"]), received["user1"][4])
	fmt.Println(len(received["user2"]), received["user2"][0])
	// Output:
	// 5 Message 5
	// 5 Message 1
}

// A subscriber that is too slow is told how much it has missed, and where.
func ExampleSubscription_All() {
	b := broadcast.New[int](broadcast.WithCapacity(3))
	sub, _ := b.Subscribe()
	for i := range 10 {
		_ = b.TrySend(i)
	}
	b.Close()
	for missed, v := range sub.All(context.Background()) {
		fmt.Println(missed, v)
	}
	// Output:
	// 7 7
	// 0 8
	// 0 9
}

func ExampleSubscription_Next() {
	b := broadcast.New[string]()
	sub, _ := b.Subscribe()
	_ = b.Send(context.Background(), "hello")
	b.Close()
	fmt.Println(sub.Next(context.Background()))
	_, err := sub.Next(context.Background())
	fmt.Println(errors.Is(err, broadcast.ErrClosed))
	// Output:
	// hello <nil>
	// true
}

func ExampleGapError() {
	b := broadcast.New[int](broadcast.WithCapacity(1))
	sub, _ := b.Subscribe()
	_, _ = b.SendBatch(context.Background(), []int{1, 2, 3})
	_, err := sub.Next(context.Background())
	if gap, ok := errors.AsType[*broadcast.GapError](err); ok {
		fmt.Println("missed", gap.Missed)
	}
	fmt.Println(sub.Next(context.Background()))
	// Output:
	// missed 2
	// 3 <nil>
}

func ExampleSubscription_NextBatch() {
	b := broadcast.New[int]()
	sub, _ := b.Subscribe()
	_, _ = b.SendBatch(context.Background(), []int{1, 2, 3})
	dst := make([]int, 10)
	n, err := sub.NextBatch(context.Background(), dst)
	fmt.Println(dst[:n], err)
	// Output: [1 2 3] <nil>
}

// A subscriber that must not miss anything makes senders wait.
func ExampleOnOverflow() {
	b := broadcast.New[int](broadcast.WithCapacity(2))
	sub, _ := b.Subscribe(broadcast.OnOverflow(broadcast.Block))
	fmt.Println(b.TrySend(1), b.TrySend(2))
	fmt.Println(b.TrySend(3))
	_, _ = sub.Next(context.Background())
	fmt.Println(b.TrySend(3))
	// Output:
	// <nil> <nil>
	// broadcast: a subscriber that blocks is full
	// <nil>
}

// Who comes late is told the latest news first.
func ExampleReplay() {
	b := broadcast.New[string]()
	_, _ = b.SendBatch(context.Background(), []string{"old", "recent", "new"})
	sub, _ := b.Subscribe(broadcast.Replay(2))
	b.Close()
	for _, v := range sub.All(context.Background()) {
		fmt.Println(v)
	}
	// Output:
	// recent
	// new
}

// Who comes back goes on where it was, as far as that is retained.
func ExampleFrom() {
	ctx := context.Background()
	b := broadcast.New[string]()
	sub, _ := b.Subscribe()
	_, _ = b.SendBatch(ctx, []string{"zero", "one", "two"})
	fmt.Println(sub.Next(ctx))
	place := sub.Seq()
	sub.Close()
	back, _ := b.Subscribe(broadcast.From(place))
	fmt.Println(back.Next(ctx))
	// Output:
	// zero <nil>
	// one <nil>
}

// Chan is for a select among other channels.
func ExampleSubscription_Chan() {
	b := broadcast.New[string]()
	sub, _ := b.Subscribe()
	defer sub.Close()
	stop := make(chan struct{})
	_ = b.Send(context.Background(), "ready")
	select {
	case msg := <-sub.Chan(1):
		fmt.Println(msg)
	case <-stop:
	}
	// Output: ready
}

// A subscription that ends with a context, such as that of a request.
func ExampleWithContext() {
	ctx, cancel := context.WithCancel(context.Background())
	b := broadcast.New[int]()
	sub, _ := b.Subscribe(broadcast.WithContext(ctx))
	cancel()
	_, err := sub.Next(context.Background())
	fmt.Println(errors.Is(err, broadcast.ErrClosed), errors.Is(err, context.Canceled))
	// Output: true true
}

func ExampleBroadcast_Stats() {
	b := broadcast.New[int](broadcast.WithCapacity(4))
	sub, _ := b.Subscribe(broadcast.Name("slow"))
	_, _ = b.SendBatch(context.Background(), []int{1, 2, 3, 4, 5, 6})
	st := b.Stats()
	fmt.Println(st.Sent, st.Retained)
	for _, s := range st.Subscriptions {
		fmt.Println(s.Name, s.Delivered, s.Missed, s.Backlog)
	}
	sub.Close()
	// Output:
	// 6 4
	// slow 0 2 4
}
