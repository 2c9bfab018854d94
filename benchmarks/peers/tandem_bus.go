package peers

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/tandemgo/tandem/benchmarks/work"
	"github.com/tandemgo/tandem/broadcast"
)

type tandemBroadcast struct {
	tb   testing.TB
	bc   *broadcast.Broadcast[int]
	read func(testing.TB, *broadcast.Subscription[int], func(int))
}

// tandemBus reads all available values at a time.
func tandemBus(tb testing.TB, room int) work.Bus {
	return &tandemBroadcast{tb, broadcast.New[int](broadcast.WithCapacity(room)), readBatches}
}

// tandemAllBus reads one value at a time.
func tandemAllBus(tb testing.TB, room int) work.Bus {
	return &tandemBroadcast{tb, broadcast.New[int](broadcast.WithCapacity(room)), readAll}
}

func (b *tandemBroadcast) Subscribe(wg *sync.WaitGroup, got func(int)) {
	s, err := b.bc.Subscribe(broadcast.WithOverflow(broadcast.Block))
	if err != nil {
		b.tb.Fatal(err)
	}
	wg.Go(func() { b.read(b.tb, s, got) })
}

func (b *tandemBroadcast) Send(v int) { work.Must(b.tb, b.bc.Send(context.Background(), v)) }
func (b *tandemBroadcast) End()       { work.Must(b.tb, b.bc.Close()) }

func readBatches(tb testing.TB, s *broadcast.Subscription[int], got func(int)) {
	defer s.Close() // after an error, since senders would wait for it
	dst := make([]int, 256)
	for {
		n, err := s.NextBatch(context.Background(), dst)
		if err != nil {
			if !errors.Is(err, broadcast.ErrClosed) {
				tb.Error(err)
			}
			return
		}
		got(n)
	}
}

func readAll(tb testing.TB, s *broadcast.Subscription[int], got func(int)) {
	for _, err := range s.All(context.Background()) {
		if err != nil {
			tb.Error(err)
		}
		got(1)
	}
}
