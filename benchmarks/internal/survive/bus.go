package survive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"github.com/samber/ro"

	"github.com/tandemgo/tandem/broadcast"
)

const cskrUnsub = "PubSub.Unsub"

// buses are the scenarios of buses. The sender of ro calls its subscribers, so most
// scenarios do not apply to it.
var buses = slices.Concat(
	each("FB1", blocking, leaveWhileSending(false), documented{"cskr": cskrUnsub}),
	each("FB2", blocking, leaveWhileSending(true), documented{"cskr": cskrUnsub}),
	[]Scenario{{Fault: "FB2", Peer: "ro", Run: roInHandler}},
	each("FB3", blocking, func(open newBus) error { b := open(1); b.end(); b.end(); return nil }, nil),
	[]Scenario{{Fault: "FB3", Peer: "ro", Run: func() error {
		s := ro.NewPublishSubject[int]()
		s.Complete()
		s.Complete()
		return nil
	}}},
	each("FB4", dropping, slowStallsAll, nil),
	[]Scenario{{Fault: "FB5", Peer: tandem, Run: tandemTells}},
	each("FB5", but(dropping, tandem, "dustin", byClassic), losesSilently, documented{
		"k8s":  "watch.Broadcaster, in the source at fullChannelBehavior",
		"cskr": "PubSub.TryPub",
	}),
	each("FB7", blocking, sleepsBeforeEach, nil),
	each("FB13", blocking, oneOrder, nil),
	each("FB14", blocking, endDropsNothing, nil),
	each("FC6", blocking, func(open newBus) error {
		b := open(1)
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(b.end)
		}
		wg.Wait()
		return nil
	}, nil),
	each("FC7", blocking, endInHandler, nil),
)

// leaveWhileSending: a subscriber that does not read, or reads in a loop and leaves in it,
// leaves while more values are sent.
func leaveWhileSending(reads bool) func(newBus) error {
	return func(open newBus) error {
		b := open(1)
		next, leave := b.subscribe()
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for i := range 50 { // more than any buffer has room for
				b.send(i)
			}
		}()
		if reads {
			next()
		}
		synctest.Wait() // the sender blocks
		leave()
		<-sent
		b.end()
		return nil
	}
}

func roInHandler() error {
	subject := ro.NewPublishSubject[int]()
	var sub ro.Subscription
	got := 0
	sub = subject.Subscribe(ro.OnNext(func(v int) {
		if got++; v == 0 {
			sub.Unsubscribe()
		}
	}))
	for i := range 10 {
		subject.Next(i)
	}
	if got != 1 {
		return fmt.Errorf("%d values after unsubscribing", got-1)
	}
	return nil
}

// slowStallsAll: one subscriber never reads; the other one gets the last value all the
// same.
func slowStallsAll(open newBus) error {
	b := open(1)
	b.subscribe()
	next, _ := b.subscribe()
	for i := range 200 {
		b.send(i)
	}
	for {
		b.send(1000) // again, for buses that have dropped it
		v, ok := next()
		if !ok {
			return errors.New("the end, and not the last value")
		}
		if v == 1000 {
			b.end()
			return nil
		}
	}
}

// tandemTells: values and gaps add up to the number of values sent.
func tandemTells() error {
	b := broadcast.New[int](broadcast.WithCapacity(1))
	s, err := b.Subscribe()
	if err != nil {
		return err
	}
	for i := range 20 {
		_ = b.TrySend(i)
	}
	_ = b.Close()
	told, got := uint64(0), uint64(0)
	for _, err := range s.All(context.Background()) {
		if gap, ok := errors.AsType[*broadcast.GapError](err); ok {
			told += gap.Missed
			continue
		}
		got++
	}
	if told+got != 20 {
		return fmt.Errorf("%d values and %d told missing, of 20", got, told)
	}
	return nil
}

// losesSilently: a slow reader that cannot be notified of missed values has all values.
func losesSilently(open newBus) error {
	b := open(1)
	next, _ := b.subscribe()
	for i := range 20 {
		b.send(i)
	}
	settle()
	got := make(chan int, 20)
	go read(next, got)
	b.end()
	settle()
	if n := len(got); n < 20 {
		return fmt.Errorf("%d of 20 values are missing, and nothing says so", 20-n)
	}
	return nil
}

// read reads all values until the end.
func read(next func() (int, bool), got chan<- int) {
	for v, ok := next(); ok; v, ok = next() {
		got <- v
	}
}

// readers starts subscribers that read n values each, and returns a function that waits
// for them and returns their values.
func (b bus) readers(subscribers, n int, before func()) (wait func() ([][]int, error)) {
	var wg sync.WaitGroup
	got := make([][]int, subscribers)
	for i := range subscribers {
		next, _ := b.subscribe()
		wg.Go(func() {
			for range n {
				before()
				v, ok := next()
				if !ok {
					return
				}
				got[i] = append(got[i], v)
			}
		})
	}
	return func() ([][]int, error) {
		wg.Wait()
		for _, vs := range got {
			if len(vs) != n {
				return nil, fmt.Errorf("%d of %d values", len(vs), n)
			}
		}
		return got, nil
	}
}

// sleepsBeforeEach: readers that sleep before each value get all values.
func sleepsBeforeEach(open newBus) error {
	b := open(1)
	wait := b.readers(3, 200, func() {})
	for i := range 200 {
		if i%2 == 0 {
			synctest.Wait() // they sleep
		}
		b.send(i)
	}
	_, err := wait()
	b.end()
	return err
}

// oneOrder: four senders send at once, and two readers read the same sequence.
func oneOrder(open newBus) error {
	for range 100 {
		b := open(4)
		wait := b.readers(2, 80, func() {})
		var wg sync.WaitGroup
		for s := range 4 {
			wg.Go(func() {
				for i := range 20 {
					b.send(100*s + i)
				}
			})
		}
		wg.Wait()
		got, err := wait()
		b.end()
		if err != nil {
			return err
		}
		if !slices.Equal(got[0], got[1]) {
			return errors.New("two subscribers see two orders")
		}
	}
	return nil
}

// endDropsNothing: values that were sent before the end, and fit into the buffer, are
// read.
func endDropsNothing(open newBus) error {
	for range 20 {
		b := open(8)
		next, _ := b.subscribe()
		for i := range 5 {
			b.send(i)
		}
		b.end()
		got := make(chan int, 8)
		go read(next, got)
		settle()
		if n := len(got); n != 5 {
			return fmt.Errorf("%d of 5 values were there to be read", n)
		}
	}
	return nil
}

// endInHandler: the goroutine that reads ends the bus.
func endInHandler(open newBus) error {
	b := open(1)
	next, _ := b.subscribe()
	b.send(1)
	next()
	b.end()
	return nil
}

// quiet is how long a reader waits for the end on a channel that is never closed.
const quiet = time.Second
