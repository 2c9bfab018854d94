package link

import (
	"context"
	"testing"
)

func BenchmarkChain(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	const items = 20000
	for b.Loop() {
		in := Adaptive[int](Base)
		src := in
		go func() {
			for i := range items {
				if ctx.Err() != nil {
					return
				}
				_ = src.Send(ctx, i)
			}
			src.Close()
		}()
		for range 3 {
			out := Adaptive[int](Base)
			i := in
			go func() {
				for {
					v, ok, _ := i.Receive(ctx)
					if !ok {
						break
					}
					_ = out.Send(ctx, v+1)
				}
				out.Close()
			}()
			in = out
		}
		n, sum := 0, 0
		for {
			v, ok, _ := in.Receive(ctx)
			if !ok {
				break
			}
			n++
			sum += v
		}
		if n != items {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/items, "ns/item")
}

func BenchmarkChainChannels(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	const items = 20000
	for b.Loop() {
		in := make(chan int, 1024)
		src := in
		go func() {
			for i := range items {
				src <- i
			}
			close(src)
		}()
		for range 3 {
			out := make(chan int, 1024)
			i := in
			go func() {
				for v := range i {
					select {
					case out <- v + 1:
					case <-ctx.Done():
						return
					}
				}
				close(out)
			}()
			in = out
		}
		n := 0
		for range in {
			n++
		}
		if n != items {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/items, "ns/item")
}
