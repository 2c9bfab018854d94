package peers

import (
	"sync"
	"testing"

	"github.com/samber/ro"

	"github.com/tandemgo/tandem/benchmarks/work"
)

// roBroadcast calls its subscribers one after another on the sender's goroutine.
type roBroadcast struct{ subject ro.Subject[int] }

func roBus(testing.TB, int) work.Bus { return roBroadcast{ro.NewPublishSubject[int]()} }

func (b roBroadcast) Subscribe(_ *sync.WaitGroup, got func(int)) {
	b.subject.Subscribe(ro.OnNext(func(int) { got(1) }))
}

func (b roBroadcast) Send(v int) { b.subject.Next(v) }
func (b roBroadcast) End()       { b.subject.Complete() }
