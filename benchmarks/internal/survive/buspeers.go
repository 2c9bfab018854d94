package survive

import (
	"context"
	"errors"
	"time"

	"github.com/cskr/pubsub/v2"
	dustin "github.com/dustin/go-broadcast"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/tandemgo/tandem/benchmarks/classic"
	"github.com/tandemgo/tandem/broadcast"
)

// A bus has subscribers.
type bus struct {
	// subscribe returns a function that reads the next value, with false at the end,
	// and a function that unsubscribes.
	subscribe func() (next func() (int, bool), leave func())
	send      func(v int)
	end       func()
}

// A newBus makes a bus with the given room, for each subscriber if each has a buffer.
type newBus func(room int) bus

// blocking are buses whose senders wait for subscribers without room.
var blocking = map[string]newBus{
	tandem:    onTandemBus(broadcast.Block),
	"k8s":     onK8s(watch.WaitIfChannelFull),
	"dustin":  onDustin,
	"cskr":    onCskr(false),
	byClassic: onClassicBus,
}

// dropping are buses whose senders do not wait, if they have such a mode.
var dropping = map[string]newBus{
	tandem:    onTandemBus(broadcast.SkipOldest),
	"k8s":     onK8s(watch.DropIfChannelFull),
	"dustin":  onDustin,
	"cskr":    onCskr(true),
	byClassic: onClassicBus,
}

func fromChan[T any](ch <-chan T, value func(T) int) func() (int, bool) {
	return func() (int, bool) {
		v, ok := <-ch
		if !ok {
			return 0, false
		}
		return value(v), true
	}
}

func same(v int) int { return v }

func onTandemBus(policy broadcast.OverflowPolicy) newBus {
	return func(room int) bus {
		b := broadcast.New[int](broadcast.WithCapacity(room))
		return bus{
			subscribe: func() (func() (int, bool), func()) {
				s, err := b.Subscribe(broadcast.WithOverflow(policy))
				if err != nil {
					panic(err)
				}
				return func() (int, bool) {
					for {
						v, err := s.Next(context.Background())
						if _, gap := errors.AsType[*broadcast.GapError](err); !gap {
							return v, err == nil
						}
					}
				}, func() { _ = s.Close() }
			},
			send: func(v int) { _ = b.Send(context.Background(), v) },
			end:  func() { _ = b.Close() },
		}
	}
}

// A k8sObject is an object that k8s can watch.
type k8sObject int

func (k8sObject) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }
func (o k8sObject) DeepCopyObject() runtime.Object { return o }

func onK8s(full watch.FullChannelBehavior) newBus {
	return func(room int) bus {
		b := watch.NewBroadcaster(room, full)
		return bus{
			subscribe: func() (func() (int, bool), func()) {
				w, err := b.Watch()
				if err != nil {
					panic(err)
				}
				return fromChan(w.ResultChan(), func(e watch.Event) int { return int(e.Object.(k8sObject)) }), w.Stop
			},
			send: func(v int) { _ = b.Action(watch.Added, k8sObject(v)) },
			end:  b.Shutdown,
		}
	}
}

// onDustin has channels made by the subscribers that are never closed: a reader assumes
// the end if no value comes for a while.
func onDustin(room int) bus {
	b := dustin.NewBroadcaster(room)
	return bus{
		subscribe: func() (func() (int, bool), func()) {
			ch := make(chan any, room)
			b.Register(ch)
			return func() (int, bool) {
				select {
				case v := <-ch:
					return v.(int), true
				case <-time.After(quiet):
					return 0, false
				}
			}, func() { b.Unregister(ch) }
		},
		send: func(v int) { b.Submit(v) },
		end:  func() { _ = b.Close() },
	}
}

func onCskr(try bool) newBus {
	return func(room int) bus {
		ps := pubsub.New[string, int](room)
		pub := ps.Pub
		if try {
			pub = ps.TryPub
		}
		return bus{
			subscribe: func() (func() (int, bool), func()) {
				ch := ps.Sub("topic")
				return fromChan(ch, same), func() { ps.Unsub(ch) }
			},
			send: func(v int) { pub(v, "topic") },
			end:  ps.Shutdown,
		}
	}
}

func onClassicBus(room int) bus {
	b := &classic.Bus{Room: room}
	return bus{
		subscribe: func() (func() (int, bool), func()) {
			ch, leave := b.Subscribe()
			return fromChan(ch, func(v any) int { return v.(int) }), leave
		},
		send: func(v int) { b.Send(context.Background(), v) },
		end:  b.Close,
	}
}
