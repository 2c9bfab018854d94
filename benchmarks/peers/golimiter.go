package peers

import (
	"context"
	"testing"
	"time"

	"github.com/sethvargo/go-limiter/memorystore"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func init() {
	work.Add(work.Peer{Name: "go-limiter", Module: "github.com/sethvargo/go-limiter", Keyed: goLimiterKeyed})
}

func goLimiterKeyed(tb testing.TB) func(string) bool {
	ctx := context.Background()
	s, err := memorystore.New(&memorystore.Config{Tokens: 1 << 40, Interval: time.Hour, SweepInterval: time.Hour})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { work.Must(tb, s.Close(ctx)) })
	return func(key string) bool {
		_, _, _, ok, err := s.Take(ctx, key)
		return ok && err == nil
	}
}
