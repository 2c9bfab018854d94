package casttest

import (
	"context"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/testkit"
)

// B1: all subscribers have one order, which keeps the order of each sender.
func oneOrder(t *testing.T, b *cast) {
	const senders, each = 4, 500
	policies := []broadcast.OverflowPolicy{broadcast.Block, broadcast.SkipOldest, broadcast.SkipToLatest, broadcast.Disconnect}
	orders := make([][]int, len(policies))
	var wg sync.WaitGroup
	for i, p := range policies {
		s := b.subscribe(t, broadcast.WithOverflow(p))
		wg.Go(func() {
			for range senders * each {
				v, err := s.Next(context.Background())
				if err != nil {
					t.Errorf("policy %d: %v", p, err)
					return
				}
				orders[i] = append(orders[i], v)
			}
		})
	}
	testkit.Watchdog(t, func() {
		for k := range senders {
			wg.Go(func() {
				for i := range each {
					if err := b.Send(context.Background(), k*each+i); err != nil {
						t.Errorf("Send: %v", err)
					}
				}
			})
		}
		wg.Wait()
	})
	for i, order := range orders {
		if diff := cmp.Diff(orders[0], order); diff != "" {
			t.Errorf("subscriber %d saw another order (-first +this):\n%s", i, diff)
		}
	}
	var next [senders]int
	for _, v := range orders[0] {
		if k := v / each; v%each != next[k] {
			t.Fatalf("value %d of sender %d, want %d", v%each, k, next[k])
		}
		next[v/each]++
	}
}

// B1: several goroutines may read from one subscription; each value goes to one of
// them.
func eachToOne(t *testing.T, b *cast) {
	const n, readers = 2000, 4
	s := b.subscribe(t)
	seen := testkit.NewLedger(n)
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for _, v := range WithGaps(s.All(context.Background())) {
				seen.Note(v)
			}
		})
	}
	testkit.Watchdog(t, func() {
		b.send(t, n)
		eventually(t, "all values were read", func() bool { return seen.Total() >= n })
		s.Close()
		wg.Wait()
	})
	seen.ExactlyOnce(t)
}

// All, Next, NextBatch and Chan return the same values.
func waysAgree(t *testing.T, b *cast) {
	const n = 200
	ways := map[string]func(s *broadcast.Subscription[int]) []int{
		"All": func(s *broadcast.Subscription[int]) (got []int) {
			for _, v := range WithGaps(s.All(context.Background())) {
				got = append(got, v)
			}
			return got
		},
		"Next": func(s *broadcast.Subscription[int]) (got []int) {
			for {
				v, err := s.Next(context.Background())
				if err != nil {
					return got
				}
				got = append(got, v)
			}
		},
		"NextBatch": func(s *broadcast.Subscription[int]) (got []int) {
			for buf := make([]int, 7); ; {
				k, err := s.NextBatch(context.Background(), buf)
				if err != nil {
					return got
				}
				got = append(got, buf[:k]...)
			}
		},
		"Chan": func(s *broadcast.Subscription[int]) (got []int) {
			for v := range broadcast.Chan(s, 3) {
				got = append(got, v)
			}
			return got
		},
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	all := map[string][]int{}
	for name, read := range ways {
		s := b.subscribe(t, broadcast.WithOverflow(broadcast.Block))
		wg.Go(func() {
			got := read(s)
			mu.Lock()
			all[name] = got
			mu.Unlock()
		})
	}
	testkit.Watchdog(t, func() {
		b.put(t, n)
		b.Close()
		wg.Wait()
	})
	want := make([]int, n)
	for i := range want {
		want[i] = i
	}
	for name := range ways {
		if diff := cmp.Diff(want, all[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// B7: a replay begins with the last values, as many as are retained.
func replay(t *testing.T, b *cast) {
	b.put(t, 3)
	few := b.subscribe(t, broadcast.WithReplay(100))
	b.put(t, 6)
	some := b.subscribe(t, broadcast.WithReplay(2))
	b.put(t, 1)
	b.Close()
	got, missed := rest(t, few, 0)
	if diff := cmp.Diff([]int{5, 6, 7, 8, 9}, got); diff != "" || missed != 5 {
		t.Errorf("missed %d (-want +got):\n%s", missed, diff)
	}
	got, missed = rest(t, some, 7)
	if diff := cmp.Diff([]int{7, 8, 9}, got); diff != "" || missed != 0 {
		t.Errorf("missed %d (-want +got):\n%s", missed, diff)
	}
}

// B7: between replayed and new values there is no gap and no repetition.
func replayMeetsLive(t *testing.T, b *cast) {
	const n, subscribers = 2000, 40
	probe := b.subscribe(t)
	testkit.Watchdog(t, func() {
		var wg sync.WaitGroup
		wg.Go(func() { b.send(t, n) })
		for r := range subscribers {
			eventually(t, "values come", func() bool { return probe.Backlog() >= uint64(r*n/subscribers) })
			s := b.subscribe(t, broadcast.WithReplay(1+r*10))
			wg.Go(func() {
				first, err := s.Next(context.Background())
				for want := first; err == nil && want < n-1; {
					var got int
					want++
					if got, err = s.Next(context.Background()); err == nil && got != want {
						t.Errorf("%d, want %d", got, want)
						return
					}
				}
				if err != nil {
					t.Errorf("subscriber %d: %v", r, err)
				}
			})
		}
		wg.Wait()
	})
}

// B7: WithStart continues at the position of another subscription; discarded values are
// a gap.
func from(t *testing.T, b *cast) {
	s := b.subscribe(t)
	b.put(t, 2)
	next(t, s, 0)
	at := s.Position()
	s.Close()
	b.put(t, 3)
	again := b.subscribe(t, broadcast.WithStart(at))
	next(t, again, 1)
	b.put(t, 5)
	gone := b.subscribe(t, broadcast.WithStart(at))
	b.Close()
	got, missed := rest(t, gone, 1)
	if diff := cmp.Diff([]int{5, 6, 7, 8, 9}, got); diff != "" || missed != 4 {
		t.Errorf("missed %d (-want +got):\n%s", missed, diff)
	}
}
