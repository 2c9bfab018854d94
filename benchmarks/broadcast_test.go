package benchmarks

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/cskr/pubsub/v2"

	"github.com/tandemgo/tandem/broadcast"
)

// A bus is one way to send values to many.
type bus struct {
	// subscribe returns a function that counts what comes until the end.
	subscribe func() (count func() int)
	send      func(v int)
	end       func()
}

const busBuffer = 1024

// BenchmarkBroadcast sends values to n subscribers that all get every value; one
// operation is one value, delivered n times.
func BenchmarkBroadcast(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		for _, lib := range []struct {
			name string
			make func(testing.TB) bus
		}{{"tandem", tandemBus}, {"cskr", cskrBus}, {"channels", channelBus}, {"classic", classicBus}} {
			b.Run(fmt.Sprintf("n=%d/lib=%s", n, lib.name), func(b *testing.B) {
				b.ReportAllocs()
				var wg sync.WaitGroup
				got := make([]int, n)
				bus := lib.make(b)
				for i := range n {
					count := bus.subscribe()
					wg.Go(func() { got[i] = count() })
				}
				for i := 0; b.Loop(); i++ {
					bus.send(i)
				}
				bus.end()
				wg.Wait()
				for i := range got {
					if got[i] != b.N {
						b.Fatalf("subscriber %d got %d of %d", i, got[i], b.N)
					}
				}
			})
		}
	}
}

func tandemBus(t testing.TB) bus {
	ctx := context.Background()
	bc := broadcast.New[int](broadcast.WithCapacity(busBuffer))
	return bus{
		subscribe: func() func() int {
			sub, err := bc.Subscribe(broadcast.OnOverflow(broadcast.Block))
			if err != nil {
				t.Fatal(err)
			}
			return func() (n int) {
				dst := make([]int, 256)
				for {
					k, err := sub.NextBatch(ctx, dst)
					if err != nil {
						return n
					}
					n += k
				}
			}
		},
		send: func(v int) {
			if err := bc.Send(ctx, v); err != nil {
				t.Fatal(err)
			}
		},
		end: func() { _ = bc.Close() },
	}
}

func cskrBus(testing.TB) bus {
	ps := pubsub.New[string, int](busBuffer)
	return bus{
		subscribe: func() func() int { return counter(ps.Sub("topic")) },
		send:      func(v int) { ps.Pub(v, "topic") },
		end:       ps.Shutdown,
	}
}

func channelBus(testing.TB) bus {
	var chans []chan int
	return bus{
		subscribe: func() func() int {
			ch := make(chan int, busBuffer)
			chans = append(chans, ch)
			return counter(ch)
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
		subscribe: func() func() int { return counter(bc.subscribe(busBuffer)) },
		send:      func(v int) { bc.send(context.Background(), v) },
		end:       bc.close,
	}
}

// counter counts what comes on ch until it is closed.
func counter[T any](ch <-chan T) func() int {
	return func() (n int) {
		for range ch {
			n++
		}
		return n
	}
}
