package peers

import (
	"context"
	"sync"
	"testing"

	"github.com/tandemgo/tandem/benchmarks/classic"
	"github.com/tandemgo/tandem/benchmarks/work"
)

type classicBroadcast struct{ bus classic.Bus }

func classicBus(_ testing.TB, room int) work.Bus {
	return &classicBroadcast{bus: classic.Bus{Room: room}}
}

func (b *classicBroadcast) Subscribe(wg *sync.WaitGroup, got func(int)) {
	ch, _ := b.bus.Subscribe()
	countChan(wg, ch, got)
}

func (b *classicBroadcast) Send(v int) { b.bus.Send(context.Background(), v) }
func (b *classicBroadcast) End()       { b.bus.Close() }
