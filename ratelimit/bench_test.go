package ratelimit_test

import (
	"testing"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

// BenchmarkClock is what all others are to be compared with.
func BenchmarkClock(b *testing.B) {
	base := time.Now()
	for b.Loop() {
		_ = time.Since(base)
	}
}

func BenchmarkAllow(b *testing.B) {
	b.ReportAllocs()
	l := ratelimit.New(ratelimit.Per(1_000_000_000, time.Second), 1<<50)
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
	l := ratelimit.New(ratelimit.Per(1_000_000_000, time.Second), 1<<50)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.Allow()
		}
	})
}
