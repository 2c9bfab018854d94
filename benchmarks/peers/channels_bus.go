package peers

import (
	"sync"
	"testing"

	"github.com/tandemgo/tandem/benchmarks/work"
)

// channelsBroadcast is a channel for each subscriber.
type channelsBroadcast struct {
	room  int
	chans []chan int
}

func channelsBus(_ testing.TB, room int) work.Bus { return &channelsBroadcast{room: room} }

func (b *channelsBroadcast) Subscribe(wg *sync.WaitGroup, got func(int)) {
	ch := make(chan int, b.room)
	b.chans = append(b.chans, ch)
	countChan(wg, ch, got)
}

func (b *channelsBroadcast) Send(v int) {
	for _, ch := range b.chans {
		ch <- v
	}
}

func (b *channelsBroadcast) End() {
	for _, ch := range b.chans {
		close(ch)
	}
}

// countChan counts the values of ch until it is closed.
func countChan[T any](wg *sync.WaitGroup, ch <-chan T, got func(int)) {
	wg.Go(func() {
		for range ch {
			got(1)
		}
	})
}
