package proofs_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tandemgo/tandem/fan"
)

// F1: Map, Reduce, Seq and ByKey give what a loop gives.
func TestFanIsALoop(t *testing.T) {
	inBubbles(t, func(r *rapid.T) {
		ctx := r.Context()
		items := rapid.SliceOfN(rapid.IntRange(0, 1000), 0, 80).Draw(r, "items")
		workers := rapid.IntRange(1, 8).Draw(r, "workers")
		paces := rapid.SliceOfN(rapid.IntRange(0, 9), 1, 5).Draw(r, "paces")
		bad := rapid.IntRange(0, 2000).Draw(r, "bad")
		fn := func(_ context.Context, v int) (int, error) {
			time.Sleep(time.Duration(paces[v%len(paces)]) * time.Millisecond)
			if v == bad {
				return 0, errTask
			}
			return 3 * v, nil
		}
		fails := slices.Contains(items, bad)
		var want []int
		for _, v := range items {
			if v != bad {
				want = append(want, 3*v)
			}
		}

		got, err := fan.Map(ctx, workers, items, fn)
		if fails != errors.Is(err, errTask) || len(got) != len(items) || !fails && !slices.Equal(got, want) {
			r.Fatalf("Map: %v, %v; want %v", got, err, want)
		}

		got, err = fan.Reduce(ctx, workers, items, func() []int { return nil }, func(acc []int, v int) ([]int, error) {
			out, err := fn(ctx, v)
			return append(acc, out), err
		}, func(a, b []int) []int { return append(a, b...) })
		if fails != errors.Is(err, errTask) || !fails && !slices.Equal(got, want) {
			r.Fatalf("Reduce: %v, %v; want %v", got, err, want)
		}

		got = nil
		for v, err := range fan.Seq(ctx, workers, slices.Values(items), fn) {
			if err == nil {
				got = append(got, v)
			}
		}
		if !slices.Equal(got, want) {
			r.Fatalf("Seq: %v, want %v", got, want)
		}

		keys := rapid.IntRange(1, 5).Draw(r, "keys")
		byKey := func(vs []int) map[int][]int {
			m := map[int][]int{}
			for _, v := range vs {
				m[v/3%keys] = append(m[v/3%keys], v)
			}
			return m
		}
		got = nil
		for v, err := range fan.ByKey(ctx, workers, slices.Values(items), func(v int) int { return v % keys }, fn) {
			if err == nil {
				got = append(got, v)
			}
		}
		g, w := byKey(got), byKey(want)
		for k := range keys {
			if !slices.Equal(g[k], w[k]) {
				r.Fatalf("ByKey: key %d gave %v, want %v", k, g[k], w[k])
			}
		}
	})
}
