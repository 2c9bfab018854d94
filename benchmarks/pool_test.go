package benchmarks

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	concpool "github.com/sourcegraph/conc/pool"

	"github.com/tandemgo/tandem/pool"
)

const workers = 8

// BenchmarkPool runs empty tasks, given by one goroutine to 8 workers; one
// operation is one task.
func BenchmarkPool(b *testing.B) {
	ctx := context.Background()
	check := func(b *testing.B, ran int) {
		b.Helper()
		if ran != b.N {
			b.Fatalf("%d tasks ran, want %d", ran, b.N)
		}
	}
	b.Run("lib=tandem", func(b *testing.B) {
		b.ReportAllocs()
		var ran atomic.Int64
		p := pool.New(workers, func(context.Context, int) (struct{}, error) { ran.Add(1); return struct{}{}, nil })
		for i := 0; b.Loop(); i++ {
			if err := p.Go(ctx, i); err != nil {
				b.Fatal(err)
			}
		}
		p.Close()
		check(b, int(ran.Load()))
	})
	b.Run("lib=conc", func(b *testing.B) {
		b.ReportAllocs()
		var ran atomic.Int64
		p := concpool.New().WithMaxGoroutines(workers)
		for b.Loop() {
			p.Go(func() { ran.Add(1) })
		}
		p.Wait()
		check(b, int(ran.Load()))
	})
	b.Run("lib=channels", func(b *testing.B) {
		b.ReportAllocs()
		var ran atomic.Int64
		jobs := make(chan int, 1024)
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for range jobs {
					ran.Add(1)
				}
			})
		}
		for i := 0; b.Loop(); i++ {
			jobs <- i
		}
		close(jobs)
		wg.Wait()
		check(b, int(ran.Load()))
	})
	b.Run("lib=classic", func(b *testing.B) {
		b.ReportAllocs()
		var ran atomic.Int64
		p := newClassicPool(ctx, workers, 1024, func(any) error { ran.Add(1); return nil })
		done := make(chan struct{})
		go func() { // or it deadlocks
			defer close(done)
			for range p.results {
			}
		}()
		for i := 0; b.Loop(); i++ {
			p.jobs <- i
		}
		p.close()
		<-done
		check(b, int(ran.Load()))
	})
}
