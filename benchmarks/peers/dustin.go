package peers

import (
	"sync"
	"testing"

	"github.com/dustin/go-broadcast"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func init() {
	work.Add(work.Peer{Name: "dustin", Module: "github.com/dustin/go-broadcast", Bus: dustinBus})
}

type dustinBroadcast struct {
	bc   broadcast.Broadcaster
	room int
}

// dustinLast is a last value that ends the bus, since closing it may lose values.
type dustinLast struct{}

func dustinBus(tb testing.TB, room int) work.Bus {
	b := dustinBroadcast{broadcast.NewBroadcaster(room), room}
	tb.Cleanup(func() { work.Must(tb, b.bc.Close()) })
	return b
}

func (b dustinBroadcast) Subscribe(wg *sync.WaitGroup, got func(int)) {
	ch := make(chan any, b.room)
	b.bc.Register(ch)
	wg.Go(func() {
		for v := range ch {
			if _, over := v.(dustinLast); over {
				return
			}
			got(1)
		}
	})
}

func (b dustinBroadcast) Send(v int) { b.bc.Submit(v) }
func (b dustinBroadcast) End()       { b.bc.Submit(dustinLast{}) }
