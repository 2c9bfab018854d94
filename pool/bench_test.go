package pool_test

import (
	"context"
	"testing"

	"github.com/tandemgo/tandem/pool"
)

func empty(context.Context, int) (int, error) { return 0, nil }

func BenchmarkGo(b *testing.B) {
	b.ReportAllocs()
	p := pool.New(8, empty)
	for b.Loop() {
		must0(p.Go(context.Background(), 1))
	}
	p.Close()
}

func BenchmarkSubmit(b *testing.B) {
	b.ReportAllocs()
	p := pool.New(8, empty)
	futures := make([]*pool.Future[int], 0, 256)
	for b.Loop() {
		if futures = append(futures, must(p.Submit(context.Background(), 1))); len(futures) == cap(futures) {
			for _, f := range futures {
				must(f.Wait(context.Background()))
			}
			futures = futures[:0]
		}
	}
	p.Close()
}

func BenchmarkGroup(b *testing.B) {
	b.ReportAllocs()
	p := pool.New(8, empty)
	for b.Loop() {
		g := p.Group(context.Background())
		for i := range 100 {
			accept(g.Go(i))
		}
		must(g.Wait(context.Background()))
	}
	p.Close()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/task")
}

func BenchmarkMap(b *testing.B) {
	b.ReportAllocs()
	p := pool.New(8, empty)
	for b.Loop() {
		for _, err := range p.Map(context.Background(), count(100)) {
			must0(err)
		}
	}
	p.Close()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/task")
}
