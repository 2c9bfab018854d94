package ratelimit

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// R1, FR1: cells that see readings of the clock late and out of order mint nothing: no window
// of grants holds more than the law.
func TestR1LateReadings(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 9))
		p := newParams("test", Window{Per(1+rnd.IntN(9), time.Duration(1+rnd.IntN(50))), 1 + rnd.IntN(6)})
		var debt uint64
		var last, latest int64
		var grants []int64
		for range 200 {
			latest += rnd.Int64N(20)
			now := max(last, latest-rnd.Int64N(40)) // under a lock, a reading is not before the one before
			debt, last = p.after(debt, time.Duration(now-last)), now
			if p.delay(debt, 1) == 0 {
				debt = p.charged(debt, 1)
				grants = append(grants, now)
			}
		}
		for i := range grants {
			for j := i; j < len(grants); j++ {
				if n := uint64(j - i + 1); n > p.burst && (n-p.burst)*p.cost > uint64(grants[j]-grants[i])*p.speed {
					t.Fatalf("seed %d: %d permits in %d ns, %v", seed, n, grants[j]-grants[i], p.Window)
				}
			}
		}
	}
}

// R1: any rate of up to 1e9 permits per period of up to a year is accepted, with a burst of
// up to that number; it is at most 1 ppm slower than it should be, and never faster.
func TestR1RangeAndRounding(t *testing.T) {
	const year = int64(365 * 24 * time.Hour)
	rnd := rand.New(rand.NewPCG(1, 2))
	windows := []Window{{Per(1009, 30*24*time.Hour), 1009}, {Per(999_999_937, time.Duration(year)), 999_999_937}, {Per(1_000_000_000, 1), 1_000_000_000}, {Every(time.Duration(year)), 1}}
	for range 20_000 {
		n := 1 + rnd.Int64N(1<<rnd.IntN(30))
		d := 1 + rnd.Int64N(min(year, 1<<rnd.IntN(56)))
		windows = append(windows, Window{Per(int(n), time.Duration(d)), int(1 + rnd.Int64N(n))})
	}
	for _, w := range windows {
		p := newParams("test", w)
		// cost/speed ≥ period/permits, and ≤ 1.000001 times that
		got := new(big.Rat).SetFrac(new(big.Int).SetUint64(p.cost), new(big.Int).SetUint64(p.speed))
		want := new(big.Rat).SetFrac(new(big.Int).SetUint64(w.Rate.period), new(big.Int).SetUint64(w.Rate.permits))
		if got.Quo(got, want); got.Cmp(big.NewRat(1, 1)) < 0 || got.Cmp(big.NewRat(1_000_001, 1_000_000)) > 0 {
			t.Fatalf("%v with a burst of %d: an interval of %s of the exact one", w.Rate, w.Burst, got.FloatString(9))
		}
		if p.capacity != p.cost*uint64(w.Burst) || p.capacity > maxCapacity {
			t.Fatalf("%v: capacity %d", w, p.capacity)
		}
	}
	for _, w := range []Window{{Every(time.Hour), 1 << 50}, {Per(1<<62, 1), 1}, {Every(1 << 62), 1}, {Per(0, 1), 1<<62 + 1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v with a burst of %d is accepted", w.Rate, w.Burst)
				}
			}()
			New(w.Rate, w.Burst)
		}()
	}
}

// R5: a limiter that is idle for long has its burst, and no more, whenever it is asked: the
// word wraps around meanwhile.
func TestR5IdleForLong(t *testing.T) {
	for _, w := range []Window{{Per(999_999_937, time.Second), 5}, {Per(3, time.Second), 2}, {Per(7, 11*time.Minute), 7}, {Per(2147483647, 1<<31), 3}} {
		synctest.Test(t, func(t *testing.T) {
			l := New(w.Rate, w.Burst)
			horizon := time.Duration(maxCapacity / l.windows[0].speed)
			for _, idle := range []time.Duration{horizon / 2, horizon - 1, horizon, horizon + 1, 2 * horizon, 4 * horizon, 8 * horizon, 9*horizon + 12345} {
				if idle = min(idle, 20*365*24*time.Hour); time.Since(l.base)+idle < 0 {
					continue
				}
				time.Sleep(idle)
				if !l.AllowN(w.Burst) || l.Allow() && w.Rate.permits < 1_000_000 {
					t.Errorf("%v: after %v there is not exactly the burst", w, idle)
				}
			}
		})
	}
}

// R6: a shard is like a map: keys come and go, and all that owe are found.
func TestR6TableIsAMap(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 11))
			x := NewKeyed[int](Every(time.Hour), 1000, WithMaxKeys(60)) // one shard
			owed := map[int]int{}
			for range 400 {
				k := rnd.IntN(50)
				switch rnd.IntN(4) {
				case 0:
					x.Forget(k)
					delete(owed, k)
				default:
					if !x.Allow(k) {
						t.Errorf("seed %d: %d is denied", seed, k)
					}
					owed[k]++
				}
				for k := range 50 {
					if left := x.Peek(k).Remaining; left != 1000-owed[k] {
						t.Fatalf("seed %d: %d of key %d remain, %d are owed", seed, left, k, owed[k])
					}
				}
			}
			if n := x.Stats().Keys; n != len(owed) {
				t.Errorf("seed %d: %d keys of %d", seed, n, len(owed))
			}
			sh := &x.shards[0]
			if i := slices.IndexFunc(sh.slots, func(s slot[int]) bool { return s.hash != 0 && owed[s.key] == 0 }); i >= 0 {
				t.Errorf("seed %d: a key that was forgotten is in the table", seed)
			}
		})
	}
}
