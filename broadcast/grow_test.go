package broadcast_test

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/casttest"
	"github.com/tandemgo/tandem/internal/testkit"
)

// B8: a Grow subscription that sends from its own loop gets everything; no sender waits.
func TestB8GrowSendsInItsOwnLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int](broadcast.WithCapacity(4))
		s := must(b.Subscribe(broadcast.WithOverflow(broadcast.Grow), broadcast.WithMaxBacklog(1000)))
		must(0, b.Send(t.Context(), 4))
		got := 0
		for v, err := range s.All(t.Context()) { // each value of n gives 4 of n-1
			must(v, err)
			got++
			for range min(v, 1) * 4 {
				must(0, b.TrySend(v-1))
			}
			if got == 1+4+16+64+256 {
				break
			}
		}
		if s.Missed() != 0 || s.Backlog() != 0 {
			t.Errorf("missed %d, backlog %d", s.Missed(), s.Backlog())
		}
	})
}

// B8: with Block, such a send waits until its context ends.
func TestB8BlockSendsInItsOwnLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int](broadcast.WithCapacity(4))
		s := must(b.Subscribe(broadcast.WithOverflow(broadcast.Block)))
		must(0, b.Send(t.Context(), 0))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		for range s.All(t.Context()) {
			for range 4 {
				must(0, b.Send(ctx, 1))
			}
			if err := b.Send(ctx, 1); err != context.DeadlineExceeded {
				t.Errorf("got %v", err)
			}
			break
		}
		if s.Backlog() != 4 {
			t.Errorf("backlog %d", s.Backlog())
		}
	})
}

// B8: up to its maximum nothing is lost, and beyond it a gap says how much.
func TestB8GrowUpToItsMaximum(t *testing.T) {
	for _, most := range []int{1, 3, 4, 5, 100, 1000, 5000} {
		for _, over := range []int{0, 1, 700} {
			b := broadcast.New[int](broadcast.WithCapacity(4))
			opts := []broadcast.SubscribeOption{broadcast.WithOverflow(broadcast.Grow), broadcast.WithMaxBacklog(most)}
			slow, late := must(b.Subscribe(opts...)), must(b.Subscribe(opts...))
			send(t, b, 0, most)
			take(t, late, most/2)
			send(t, b, most, most+over)
			must0(b.Close())
			if over > 0 {
				if gap := gapOf(t, errOf(slow)); int(gap.Missed) != over || gap.AtLeast {
					t.Fatalf("maximum %d, %d over: %v", most, over, gap)
				}
			}
			for i := range most {
				if v, err := slow.Next(t.Context()); v != over+i || err != nil {
					t.Fatalf("maximum %d, %d over: %d, %v; want %d", most, over, v, err, over+i)
				}
			}
			if want := uint64(max(0, over-most/2)); late.Missed() != want {
				t.Errorf("maximum %d, %d over: missed %d, want %d", most, over, late.Missed(), want)
			}
		}
	}
}

// The default maximum is 64 times the capacity.
func TestB8DefaultMaximum(t *testing.T) {
	b := broadcast.New[int](broadcast.WithCapacity(4))
	s := must(b.Subscribe(broadcast.WithOverflow(broadcast.Grow)))
	send(t, b, 0, 256)
	if s.Missed() != 0 {
		t.Errorf("missed %d", s.Missed())
	}
	send(t, b, 0, 1)
	if s.Missed() != 1 {
		t.Errorf("missed %d", s.Missed())
	}
}

// B8: 64 times a large capacity is not less.
func TestB8DefaultMaximumOfALargeCapacity(t *testing.T) {
	for _, n := range []int{math.MaxInt>>5 + 1, math.MaxInt>>2 + 1, math.MaxInt} {
		b := broadcast.New[int](broadcast.WithCapacity(n))
		s := must(b.Subscribe(broadcast.WithOverflow(broadcast.Grow)))
		send(t, b, 0, 1000)
		if s.Backlog() != 1000 {
			t.Errorf("%d: backlog %d", n, s.Backlog())
		}
	}
}

// B8, B2: Grow subscriptions that stall, at random, among others that end.
func TestB8GrowAmongOthers(t *testing.T) {
	const n = 20_000
	b := broadcast.New[int](broadcast.WithCapacity(16))
	var wg sync.WaitGroup
	for i := range 6 {
		rnd := rand.New(rand.NewPCG(uint64(i), 8))
		policy := []broadcast.OverflowPolicy{broadcast.Grow, broadcast.SkipOldest, broadcast.Disconnect}[i%3]
		s := must(b.Subscribe(broadcast.WithOverflow(policy), broadcast.WithMaxBacklog(n)))
		wg.Go(func() {
			next := 0
			for missed, v := range casttest.WithGaps(s.All(t.Context())) {
				if v != next+int(missed) || policy == broadcast.Grow && missed > 0 {
					t.Errorf("%v: %d after a gap of %d, want %d", policy, v, missed, next)
					return
				}
				next = v + 1
				if rnd.IntN(500) == 0 {
					runtime.Gosched()
				}
			}
			if policy == broadcast.Grow && next != n {
				t.Errorf("the end is at %d", next)
			}
		})
	}
	testkit.Watchdog(t, func() {
		send(t, b, 0, n)
		must0(b.Close())
		wg.Wait()
	})
}

// B6: what a Grow subscription has read, or held when it ended or was forgotten, is
// collected.
func TestB6GrowIsCollected(t *testing.T) {
	const capacity = 16
	type blob struct{ _ [1 << 8]byte }
	b := broadcast.New[*blob](broadcast.WithCapacity(capacity))
	var held []weak.Pointer[blob]
	put := func(n int) {
		for range n {
			v := new(blob)
			held = append(held, weak.Make(v))
			must(0, b.TrySend(v))
		}
	}
	alive := func() (n int) {
		runtime.GC()
		runtime.GC()
		for _, p := range held {
			if p.Value() != nil {
				n++
			}
		}
		return n
	}
	opts := []broadcast.SubscribeOption{broadcast.WithOverflow(broadcast.Grow), broadcast.WithMaxBacklog(500)}
	s := must(b.Subscribe(opts...))
	end := map[string]func(){
		"read": func() {
			for s.Backlog() > 0 {
				must(s.Next(t.Context()))
			}
		},
		"closed":    func() { must0(s.Close()) },
		"forgotten": func() { s = nil; runtime.GC() },
	}
	const slack = 4 * capacity
	for name, end := range end {
		if s = must(b.Subscribe(opts...)); name == "" {
			return
		}
		put(400)
		if n := alive(); n < 400 {
			t.Errorf("%s: %d are alive of 400 in the backlog", name, n)
		}
		end()
		put(2 * capacity)
		if n := alive(); n > capacity+slack {
			t.Errorf("%s: %d are alive", name, n)
		}
		if s != nil {
			must0(s.Close())
		}
	}
	s = must(b.Subscribe(opts...))
	put(5000)
	if n := alive(); n > 500+slack {
		t.Errorf("%d are alive with a maximum of 500", n)
	}
	runtime.KeepAlive(s)
}

// take reads n values.
func take(t testing.TB, s *broadcast.Subscription[int], n int) {
	t.Helper()
	for range n {
		must(s.Next(t.Context()))
	}
}

// errOf reads one value and returns the error.
func errOf(s *broadcast.Subscription[int]) error {
	_, err := s.Next(context.Background())
	return err
}
