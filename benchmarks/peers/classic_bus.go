package peers

import (
	"context"
	"sync"
	"testing"

	"github.com/tandemgo/tandem/benchmarks/work"
)

type classicBroadcast struct {
	room int
	mu   sync.RWMutex
	subs []chan any
}

func classicBus(_ testing.TB, room int) work.Bus { return &classicBroadcast{room: room} }

func (b *classicBroadcast) Subscribe(wg *sync.WaitGroup, got func(int)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	ch := make(chan any, b.room)
	b.subs = append(b.subs, ch)
	countChan(wg, ch, got)
}

func (b *classicBroadcast) Send(v int) { b.send(context.Background(), v) }

// send takes a context, as everything classic does.
func (b *classicBroadcast) send(ctx context.Context, v any) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, ch := range b.subs {
		select {
		case <-ctx.Done():
			return
		case ch <- v:
		}
	}
}

func (b *classicBroadcast) End() {
	for _, ch := range b.subs {
		close(ch)
	}
}
