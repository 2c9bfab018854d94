package peers

import (
	"sync"
	"testing"

	"github.com/cskr/pubsub/v2"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func init() {
	work.Add(work.Peer{Name: "cskr", Module: "github.com/cskr/pubsub/v2", Bus: cskrBus})
}

const cskrTopic = "topic"

type cskrBroadcast struct{ ps *pubsub.PubSub[string, int] }

func cskrBus(_ testing.TB, room int) work.Bus { return cskrBroadcast{pubsub.New[string, int](room)} }

func (b cskrBroadcast) Subscribe(wg *sync.WaitGroup, got func(int)) {
	countChan(wg, b.ps.Sub(cskrTopic), got)
}

func (b cskrBroadcast) Send(v int) { b.ps.Pub(v, cskrTopic) }
func (b cskrBroadcast) End()       { b.ps.Shutdown() }
