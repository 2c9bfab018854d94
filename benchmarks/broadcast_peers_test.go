package benchmarks

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/cskr/pubsub/v2"
	dustin "github.com/dustin/go-broadcast"
	"github.com/samber/ro"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/tandemgo/tandem/broadcast"
)

// A bus is one way to send values to many.
type bus struct {
	// subscribe has got called with how many values have come, from one
	// goroutine, which is in wg.
	subscribe func(wg *sync.WaitGroup, got func(n int))
	send      func(v int)
	end       func()
}

const busBuffer = 1024

var buses = []struct {
	name   string
	make   func(testing.TB) bus
	inline bool // it calls subscribers on the sender's goroutine, and there is no other
}{
	{"tandem", func(t testing.TB) bus { return tandemBus(t, countBatches) }, false},
	{"tandem-all", func(t testing.TB) bus { return tandemBus(t, countAll) }, false},
	{"k8s", k8sBus, false},
	{"dustin", dustinBus, false},
	{"cskr", cskrBus, false},
	{"ro", roBus, true},
	{"channels", channelBus, false},
	{"classic", classicBus, false},
}

func tandemBus(t testing.TB, count func(testing.TB, *broadcast.Subscription[int], func(int))) bus {
	ctx := context.Background()
	bc := broadcast.New[int](broadcast.WithCapacity(busBuffer))
	return bus{
		subscribe: func(wg *sync.WaitGroup, got func(int)) {
			s, err := bc.Subscribe(broadcast.OnOverflow(broadcast.Block))
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() { count(t, s, got) })
		},
		send: func(v int) {
			if err := bc.Send(ctx, v); err != nil {
				t.Fatal(err)
			}
		},
		end: func() { _ = bc.Close() },
	}
}

// countBatches reads as much at a time as there is.
func countBatches(t testing.TB, s *broadcast.Subscription[int], got func(int)) {
	dst := make([]int, 256)
	for {
		n, err := s.NextBatch(context.Background(), dst)
		if errors.Is(err, broadcast.ErrClosed) {
			return
		}
		if _, ok := errors.AsType[*broadcast.GapError](err); err != nil && !ok {
			t.Error(err)
			return
		}
		if n > 0 {
			got(n)
		}
	}
}

// countAll reads value by value.
func countAll(_ testing.TB, s *broadcast.Subscription[int], got func(int)) {
	for range s.All(context.Background()) {
		got(1)
	}
}

// A k8sObject is what k8s can watch.
type k8sObject int

func (k8sObject) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }
func (o k8sObject) DeepCopyObject() runtime.Object { return o }

func k8sBus(t testing.TB) bus {
	bc := watch.NewBroadcaster(busBuffer, watch.WaitIfChannelFull)
	return bus{
		subscribe: func(wg *sync.WaitGroup, got func(int)) {
			w, err := bc.Watch()
			if err != nil {
				t.Fatal(err)
			}
			countChan(wg, w.ResultChan(), got)
		},
		send: func(v int) {
			if err := bc.Action(watch.Added, k8sObject(v)); err != nil {
				t.Fatal(err)
			}
		},
		end: bc.Shutdown,
	}
}

// dustinBus ends with a last value, since closing it may lose some.
func dustinBus(t testing.TB) bus {
	bc := dustin.NewBroadcaster(busBuffer)
	t.Cleanup(func() { _ = bc.Close() })
	type last struct{}
	return bus{
		subscribe: func(wg *sync.WaitGroup, got func(int)) {
			ch := make(chan any, busBuffer)
			bc.Register(ch)
			wg.Go(func() {
				for v := range ch {
					if _, over := v.(last); over {
						return
					}
					got(1)
				}
			})
		},
		send: func(v int) { bc.Submit(v) },
		end:  func() { bc.Submit(last{}) },
	}
}

func cskrBus(testing.TB) bus {
	ps := pubsub.New[string, int](busBuffer)
	return bus{
		subscribe: func(wg *sync.WaitGroup, got func(int)) { countChan(wg, ps.Sub("topic"), got) },
		send:      func(v int) { ps.Pub(v, "topic") },
		end:       ps.Shutdown,
	}
}

// roBus calls its subscribers one after another, on the sender's goroutine.
func roBus(testing.TB) bus {
	subject := ro.NewPublishSubject[int]()
	return bus{
		subscribe: func(_ *sync.WaitGroup, got func(int)) { subject.Subscribe(ro.OnNext(func(int) { got(1) })) },
		send:      subject.Next,
		end:       subject.Complete,
	}
}

func channelBus(testing.TB) bus {
	var chans []chan int
	return bus{
		subscribe: func(wg *sync.WaitGroup, got func(int)) {
			ch := make(chan int, busBuffer)
			chans = append(chans, ch)
			countChan(wg, ch, got)
		},
		send: func(v int) {
			for _, ch := range chans {
				ch <- v
			}
		},
		end: func() {
			for _, ch := range chans {
				close(ch)
			}
		},
	}
}

func classicBus(testing.TB) bus {
	bc := &classicBroadcast{}
	return bus{
		subscribe: func(wg *sync.WaitGroup, got func(int)) { countChan(wg, bc.subscribe(busBuffer), got) },
		send:      func(v int) { bc.send(context.Background(), v) },
		end:       bc.close,
	}
}

// countChan counts what comes on ch until it is closed.
func countChan[T any](wg *sync.WaitGroup, ch <-chan T, got func(int)) {
	wg.Go(func() {
		for range ch {
			got(1)
		}
	})
}
