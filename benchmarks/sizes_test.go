package benchmarks

import (
	"context"
	"strconv"
	"sync"
	"testing"

	"github.com/sourcegraph/conc/pool"

	"github.com/tandemgo/tandem/benchmarks/work"
	"github.com/tandemgo/tandem/pipeline"
	tpool "github.com/tandemgo/tandem/pool"
)

// A kind is a type of values, with functions from a number to a value and back, so that
// a sum shows whether all values have arrived.
type kind[E any] struct {
	make func(i int) E
	key  func(E) int
}

type line [8]int // 64 bytes, a cache line

var (
	words = kind[int]{func(i int) int { return i }, func(v int) int { return v }}
	lines = kind[line]{
		func(i int) line { return line{0: i, 7: i} },
		func(v line) int { return (v[0] + v[7]) / 2 },
	}
	// Texts are made in advance, as if by a decoder: the benchmark compares only their
	// transport.
	texts = func() kind[string] {
		all := make([]string, 1024)
		for i := range all {
			all[i] = strconv.Itoa(1_000_000 + i)
		}
		return kind[string]{
			func(i int) string { return all[i%len(all)] },
			func(s string) int { return len(s) },
		}
	}()
)

// sum returns the sum of the numbers of the first n values.
func (k kind[E]) sum(n int) (sum int) {
	for i := range n {
		sum += k.key(k.make(i))
	}
	return sum
}

// BenchmarkPoolSizes is BenchmarkPool with tasks that are a word, a cache line or
// a string: passed by value, boxed in any, or captured by a closure.
func BenchmarkPoolSizes(b *testing.B) {
	poolSizes(b, "8B", words)
	poolSizes(b, "64B", lines)
	poolSizes(b, "string", texts)
}

func poolSizes[E any](b *testing.B, name string, k kind[E]) {
	ctx := context.Background()
	for _, lib := range []struct {
		name string
		run  func(ops int, got func(E))
	}{
		{"tandem", func(ops int, got func(E)) {
			p := tpool.New(work.Workers, func(_ context.Context, v E) (struct{}, error) { got(v); return struct{}{}, nil }, tpool.WithQueue(room))
			for i := range ops {
				work.Must(b, p.Go(ctx, k.make(i)))
			}
			work.Must(b, p.Close())
		}},
		{"channels", func(ops int, got func(E)) { drain(ops, k.make, got) }},
		{"classic", func(ops int, got func(E)) {
			drain(ops, func(i int) any { return k.make(i) }, func(v any) { got(v.(E)) })
		}},
		{"conc", func(ops int, got func(E)) {
			p := pool.New().WithMaxGoroutines(work.Workers)
			for i := range ops {
				v := k.make(i)
				p.Go(func() { got(v) })
			}
			p.Wait()
		}},
	} {
		b.Run("elem="+name+"/lib="+lib.name, func(b *testing.B) {
			measure(b, func(ops int) {
				var sum runCount
				lib.run(ops, func(v E) { sum.Add(int64(k.key(v))) })
				b.StopTimer()
				sum.check(b, k.sum(ops))
				b.StartTimer()
			})
		})
	}
}

// drain sends the values of build through a channel to 8 goroutines.
func drain[E any](ops int, build func(i int) E, got func(E)) {
	queue := make(chan E, room)
	var wg sync.WaitGroup
	for range work.Workers {
		wg.Go(func() {
			for v := range queue {
				got(v)
			}
		})
	}
	for i := range ops {
		queue <- build(i)
	}
	close(queue)
	wg.Wait()
}

// BenchmarkPipelineSizes is BenchmarkPipeline with items that are a word, a cache
// line or a string, through three stages that pass them on.
func BenchmarkPipelineSizes(b *testing.B) {
	pipelineSizes(b, "8B", words)
	pipelineSizes(b, "64B", lines)
	pipelineSizes(b, "string", texts)
}

func pipelineSizes[E any](b *testing.B, name string, k kind[E]) {
	pass := pipeline.Map(func(_ context.Context, v E) (E, error) { return v, nil })
	chain := pipeline.Then(pass, pipeline.Then(pass, pass))
	for _, lib := range []struct {
		name string
		run  func(ops int, got func(E))
	}{
		{"tandem", func(ops int, got func(E)) {
			source := func(yield func(E) bool) {
				for i := range ops {
					if !yield(k.make(i)) {
						return
					}
				}
			}
			for v, err := range chain.Run(b.Context(), pipeline.Seq(source)) {
				work.Must(b, err)
				got(v)
			}
		}},
		{"channels", func(ops int, got func(E)) { relay(ops, room, k.make, got) }},
		{"classic", func(ops int, got func(E)) {
			relay(ops, 0, func(i int) any { return k.make(i) }, func(v any) { got(v.(E)) })
		}},
	} {
		b.Run("elem="+name+"/lib="+lib.name, func(b *testing.B) {
			measure(b, func(ops int) {
				sum, n := 0, 0
				lib.run(ops, func(v E) { sum += k.key(v); n++ })
				b.StopTimer()
				if want := k.sum(ops); n != ops || sum != want {
					b.Fatalf("%d items, sum %d; want %d items, sum %d", n, sum, ops, want)
				}
				b.StartTimer()
			})
		})
	}
}

// relay sends the values of build through four channels, with a goroutine between each
// two.
func relay[E any](ops, buffer int, build func(i int) E, got func(E)) {
	next := make(chan E, buffer)
	go func(out chan<- E) {
		defer close(out)
		for i := range ops {
			out <- build(i)
		}
	}(next)
	for range 3 {
		in, out := next, make(chan E, buffer)
		go func() {
			defer close(out)
			for v := range in {
				out <- v
			}
		}()
		next = out
	}
	for v := range next {
		got(v)
	}
}
