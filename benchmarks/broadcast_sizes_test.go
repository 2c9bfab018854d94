package benchmarks

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/tandemgo/tandem/broadcast"
)

// BenchmarkBroadcastSizes is BenchmarkBroadcast with 10 subscribers and values of other
// types; each subscriber checks its values.
func BenchmarkBroadcastSizes(b *testing.B) {
	benchSizes(b, "8B", func(i int) int64 { return int64(i) })
	benchSizes(b, "64B", func(i int) [8]int64 { return [8]int64{0: int64(i), 7: int64(-i)} })
	words := make([]string, 256)
	for i := range words {
		words[i] = fmt.Sprintf("a line of text, number %d", i)
	}
	benchSizes(b, "string", func(i int) string { return words[i%len(words)] })
}

// benchSizes sends values of which the i-th is of(i).
func benchSizes[T comparable](b *testing.B, elem string, of func(i int) T) {
	for _, lib := range []struct {
		name string
		make func(testing.TB) sizedBus[T]
	}{{"tandem", sizedTandem[T]}, {"channels", sizedChannels[T]}, {"classic", sizedClassic[T]}} {
		b.Run(fmt.Sprintf("elem=%s/lib=%s", elem, lib.name), func(b *testing.B) {
			const readers = 10
			var wg sync.WaitGroup
			got := make([]received, readers)
			bus := lib.make(b)
			for i := range got {
				bus.subscribe(&wg, func(v T) {
					if v == of(got[i].n) { // a wrong value counts as missing at the end
						got[i].n++
					}
				})
			}
			measureN(b, tracedValues(readers), func(ops int) {
				for i := range ops {
					bus.send(of(i))
				}
				bus.end()
				wg.Wait()
				checkReceived(b, got, ops)
			})
		})
	}
}

// A sizedBus is a work.Bus of any type that reads one value at a time.
type sizedBus[T any] struct {
	subscribe func(wg *sync.WaitGroup, got func(T))
	send      func(T)
	end       func()
}

func sizedTandem[T any](tb testing.TB) sizedBus[T] {
	ctx := context.Background()
	bc := broadcast.New[T](broadcast.WithCapacity(busRoom))
	return sizedBus[T]{
		subscribe: func(wg *sync.WaitGroup, got func(T)) {
			s, err := bc.Subscribe(broadcast.WithOverflow(broadcast.Block))
			if err != nil {
				tb.Fatal(err)
			}
			wg.Go(func() {
				defer s.Close() // after an error, since the sender would wait for it
				dst := make([]T, 256)
				for {
					n, err := s.NextBatch(ctx, dst)
					if err != nil {
						return // the check at the end finds the missing values
					}
					for _, v := range dst[:n] {
						got(v)
					}
				}
			})
		},
		send: func(v T) {
			if err := bc.Send(ctx, v); err != nil {
				tb.Fatal(err)
			}
		},
		end: func() { _ = bc.Close() },
	}
}

func sizedChannels[T any](testing.TB) sizedBus[T] {
	return sizedChans(func(v T) T { return v }, func(chans []chan T, v T) {
		for _, ch := range chans {
			ch <- v
		}
	})
}

func sizedClassic[T any](testing.TB) sizedBus[T] {
	var mu sync.RWMutex
	ctx := context.Background()
	return sizedChans(func(v any) T { return v.(T) }, func(chans []chan any, v T) {
		mu.RLock()
		defer mu.RUnlock()
		boxed := any(v)
		for _, ch := range chans {
			select {
			case <-ctx.Done():
				return
			case ch <- boxed:
			}
		}
	})
}

// sizedChans is a bus with a channel for each subscriber, of messages that contain a T.
func sizedChans[M, T any](open func(M) T, send func(chans []chan M, v T)) sizedBus[T] {
	var chans []chan M
	return sizedBus[T]{
		subscribe: func(wg *sync.WaitGroup, got func(T)) {
			ch := make(chan M, busRoom)
			chans = append(chans, ch)
			wg.Go(func() {
				for m := range ch {
					got(open(m))
				}
			})
		},
		send: func(v T) { send(chans, v) },
		end: func() {
			for _, ch := range chans {
				close(ch)
			}
		},
	}
}
