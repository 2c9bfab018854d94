package fan_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/tandemgo/tandem/fan"
)

func BenchmarkMap(b *testing.B) {
	for _, size := range []int{1, 10, 1_000, 1_000_000} {
		b.Run(fmt.Sprintf("len=%d", size), func(b *testing.B) {
			in := numbers(size)
			b.ReportAllocs()
			for b.Loop() {
				if out, err := fan.Map(context.Background(), 8, in, square); len(out) != size || err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSeq(b *testing.B) {
	for name, opts := range map[string][]fan.Option{"ordered": nil, "unordered": {fan.Unordered()}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				for range fan.Seq(context.Background(), 8, count(1000), square, opts...) {
					n++
				}
				if n != 1000 {
					b.Fatal(n)
				}
			}
		})
	}
}

func BenchmarkOutIn(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for range fan.In(b.Context(), fan.Out(b.Context(), feed(b.Context(), 1000), 8, square)...) {
			n++
		}
		if n != 1000 {
			b.Fatal(n)
		}
	}
}
