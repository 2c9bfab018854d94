package ratelimit_test

import (
	"math"
	"testing"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

func BenchmarkAllow(b *testing.B) {
	b.ReportAllocs()
	l := ratelimit.New(ratelimit.Per(1_000_000_000, time.Second), math.MaxInt)
	for b.Loop() {
		l.Allow()
	}
}

func BenchmarkAllowDenied(b *testing.B) {
	b.ReportAllocs()
	l := ratelimit.New(ratelimit.Every(time.Hour), 1, ratelimit.WithSpent(1))
	for b.Loop() {
		l.Allow()
	}
}

func BenchmarkAllowParallel(b *testing.B) {
	b.ReportAllocs()
	l := ratelimit.New(ratelimit.Per(1_000_000_000, time.Second), math.MaxInt)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.Allow()
		}
	})
}
