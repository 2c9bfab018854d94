package broadcast_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/testkit"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func send(t testing.TB, b *broadcast.Broadcast[int], from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := b.Send(t.Context(), i); err != nil {
			t.Errorf("Send(%d): %v", i, err)
		}
	}
}

// read reads until the end and returns the values and the sum of the gaps. It
// checks that each gap is where values are missing, and exact.
func read(t testing.TB, s *broadcast.Subscription[int], next int) (got []int, missed uint64) {
	t.Helper()
	for gap, v := range s.All(t.Context()) {
		if missed += gap; v != next+int(gap) {
			t.Errorf("value %d after %d with a gap of %d", v, next-1, gap)
		}
		next = v + 1
		got = append(got, v)
	}
	return got, missed
}

// B1, FB13: one total order for all, with many senders and subscribers of all kinds.
func TestB1OneOrder(t *testing.T) {
	const senders, each = 4, 500
	b := broadcast.New[int](broadcast.WithCapacity(64))
	var readers sync.WaitGroup
	orders := make([][]int, 6)
	for i := range orders {
		policy := broadcast.Block
		if i%3 == 2 {
			policy = broadcast.SkipOldest
		}
		s := must(b.Subscribe(broadcast.OnOverflow(policy)))
		readers.Go(func() {
			for _, v := range s.All(t.Context()) {
				orders[i] = append(orders[i], v)
			}
		})
	}
	testkit.Watchdog(t, func() {
		var wg sync.WaitGroup
		for k := range senders {
			wg.Go(func() { send(t, b, k*each, (k+1)*each) })
		}
		wg.Wait()
		b.Close()
		readers.Wait()
	})
	all := orders[0]
	if len(all) != senders*each {
		t.Errorf("a Block subscriber got %d of %d", len(all), senders*each)
	}
	place := map[int]int{}
	for i, v := range all {
		place[v] = i
	}
	for i, order := range orders {
		if i%3 != 2 && !slices.Equal(order, all) {
			t.Errorf("subscriber %d saw another order", i)
		}
		if !slices.IsSortedFunc(order, func(a, b int) int { return place[a] - place[b] }) {
			t.Errorf("subscriber %d saw the values in another order", i)
		}
	}
}

// B2: delivered + missed + backlog = sent since Subscribe, at any instant, for
// all policies, under chaos.
func TestB2BooksBalanceAtAnyInstant(t *testing.T) {
	b := broadcast.New[int](broadcast.WithCapacity(8))
	send(t, b, 0, 5)
	type open struct {
		s    *broadcast.Subscription[int]
		from uint64
	}
	policies := map[string]broadcast.Policy{"oldest": broadcast.SkipOldest, "latest": broadcast.SkipToLatest, "block": broadcast.Block}
	subs := map[string]*open{}
	for name, p := range policies {
		subs[name] = &open{must(b.Subscribe(broadcast.OnOverflow(p), broadcast.Name(name), broadcast.Replay(2))), 3}
	}
	var stop atomic.Bool
	var checker, readers sync.WaitGroup
	checks := 0
	checker.Go(func() {
		for !stop.Load() {
			st := b.Stats()
			for _, s := range st.Subscriptions {
				checks++
				if sum := s.Delivered + s.Missed + s.Backlog; sum != st.Sent-subs[s.Name].from {
					t.Errorf("%s: delivered %d + missed %d + backlog %d, but %d sent", s.Name, s.Delivered, s.Missed, s.Backlog, st.Sent-subs[s.Name].from)
					return
				}
				if s.Name == "block" && s.Missed > 0 {
					t.Errorf("a Block subscriber missed %d", s.Missed)
				}
			}
			runtime.Gosched()
		}
	})
	for _, o := range subs {
		readers.Go(func() {
			delivered, missed := uint64(0), uint64(0)
			for gap, v := range o.s.All(t.Context()) {
				delivered++
				missed += gap
				if uint64(v) != o.from+delivered+missed-1 {
					t.Errorf("value %d after %d delivered and %d missed", v, delivered-1, missed)
					return
				}
				if v%13 == 0 {
					runtime.Gosched()
				}
			}
		})
	}
	testkit.Watchdog(t, func() {
		send(t, b, 5, 3000)
		b.Close()
		readers.Wait()
	})
	stop.Store(true)
	checker.Wait()
	if checks == 0 {
		t.Error("nothing was checked")
	}
}

// B2, FB5: gaps are reported where they happen and are exact; a subscriber that is
// never more than the capacity behind has none.
func TestB2ExactGaps(t *testing.T) {
	b := broadcast.New[int](broadcast.WithCapacity(10))
	s := must(b.Subscribe())
	send(t, b, 0, 10)
	for i := range 10 {
		if v, err := s.Next(t.Context()); v != i || err != nil {
			t.Fatalf("got %d, %v; want %d", v, err, i)
		}
	}
	send(t, b, 10, 33) // 13 too many
	if s.Backlog() != 10 || s.Missed() != 13 {
		t.Errorf("backlog %d, missed %d", s.Backlog(), s.Missed())
	}
	_, err := s.Next(t.Context())
	if gap, ok := errors.AsType[*broadcast.GapError](err); !ok || gap.Missed != 13 {
		t.Errorf("got %v", err)
	}
	if v, err := s.Next(t.Context()); v != 23 || err != nil {
		t.Errorf("behind the gap: %d, %v", v, err)
	}
	latest := must(b.Subscribe(broadcast.OnOverflow(broadcast.SkipToLatest)))
	send(t, b, 33, 50)
	b.Close()
	got, missed := read(t, latest, 33)
	if diff := cmp.Diff([]int{49}, got); diff != "" || missed != 16 {
		t.Errorf("to latest: missed %d (-want +got):\n%s", missed, diff)
	}
	got, missed = read(t, s, 24)
	if diff := cmp.Diff([]int{40, 41, 42, 43, 44, 45, 46, 47, 48, 49}, got); diff != "" || missed != 16 {
		t.Errorf("oldest: missed %d (-want +got):\n%s", missed, diff)
	}
}

// B2: the books of a subscription that has ended stay as they were.
func TestB2BooksAreKeptAfterTheEnd(t *testing.T) {
	b := broadcast.New[int](broadcast.WithCapacity(4))
	s := must(b.Subscribe())
	slow := must(b.Subscribe(broadcast.OnOverflow(broadcast.Disconnect)))
	send(t, b, 0, 7)
	if _, err := s.Next(t.Context()); err == nil {
		t.Error("no gap was reported")
	}
	must(s.Next(t.Context()))
	s.Close()
	if _, err := slow.Next(t.Context()); err != broadcast.ErrSlow {
		t.Errorf("got %v, want ErrSlow", err)
	}
	send(t, b, 7, 9)
	if s.Missed() != 3 || s.Backlog() != 3 || slow.Missed() != 7 || slow.Backlog() != 0 {
		t.Errorf("closed: missed %d, backlog %d; slow: %d, %d", s.Missed(), s.Backlog(), slow.Missed(), slow.Backlog())
	}
}

// B3, FB6: a Send that returns an error is seen by nobody, whenever it fails.
func TestB3AllOrNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int](broadcast.WithCapacity(2))
		block := must(b.Subscribe(broadcast.OnOverflow(broadcast.Block)))
		free := must(b.Subscribe(broadcast.OnOverflow(broadcast.Block)))
		var sent []int
		var mu sync.Mutex
		var wg sync.WaitGroup
		for i := range 30 {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if i%3 == 0 {
				time.AfterFunc(time.Duration(i)*time.Second, cancel)
			}
			wg.Go(func() {
				if b.Send(ctx, i) == nil {
					mu.Lock()
					sent = append(sent, i)
					mu.Unlock()
				}
			})
			synctest.Wait() // so that they line up in this order
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.Send(ctx, 99); err != context.Canceled {
			t.Errorf("under an ended context: %v", err)
		}
		if err := b.TrySend(98); err != broadcast.ErrFull {
			t.Errorf("TrySend past those who wait: %v", err)
		}
		var blocked, freely []int
		go func() {
			wg.Wait()
			b.Close()
		}()
		for _, v := range block.All(t.Context()) {
			blocked = append(blocked, v)
			time.Sleep(2 * time.Second)
			for free.Backlog() > 0 {
				v, err := free.Next(t.Context())
				if err != nil {
					t.Error(err)
				}
				freely = append(freely, v)
			}
		}
		if diff := cmp.Diff(sent, blocked); diff != "" || !slices.IsSorted(blocked) {
			t.Errorf("the blocking one (-sent +got):\n%s", diff)
		}
		if diff := cmp.Diff(sent, freely); diff != "" {
			t.Errorf("the other one (-sent +got):\n%s", diff)
		}
		if len(sent) == 30 {
			t.Error("none was cancelled: the test shows nothing")
		}
	})
}

// B4, FB4: only Block subscribers delay Send; closing one, or ending its context,
// frees the sender.
func TestB4OnlyBlockDelays(t *testing.T) {
	frees := map[string]func(s *broadcast.Subscription[int], cancel func()){
		"Close":   func(s *broadcast.Subscription[int], _ func()) { s.Close() },
		"context": func(_ *broadcast.Subscription[int], cancel func()) { cancel() },
		"read": func(s *broadcast.Subscription[int], _ func()) {
			if _, err := s.Next(context.Background()); err != nil {
				panic(err)
			}
		},
	}
	for name, free := range frees {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := broadcast.New[int](broadcast.WithCapacity(3))
				for _, p := range []broadcast.Policy{broadcast.SkipOldest, broadcast.SkipToLatest, broadcast.Disconnect} {
					must(b.Subscribe(broadcast.OnOverflow(p)))
				}
				send(t, b, 0, 100) // stalled, but delay nobody
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				s := must(b.Subscribe(broadcast.OnOverflow(broadcast.Block), broadcast.WithContext(ctx)))
				send(t, b, 100, 103)
				start := time.Now()
				time.AfterFunc(time.Minute, func() { free(s, cancel) })
				if err := b.Send(t.Context(), 103); err != nil || time.Since(start) != time.Minute {
					t.Errorf("%v after %v", err, time.Since(start))
				}
			})
		})
	}
}

// B5: what Send costs does not depend on how many keep up or have stalled: it
// does not allocate for them.
func TestB5CostOfSend(t *testing.T) {
	cost := func(n int) float64 {
		b := broadcast.New[int](broadcast.WithCapacity(64))
		subs := make([]*broadcast.Subscription[int], n)
		for i := range subs {
			subs[i] = must(b.Subscribe())
		}
		send(t, b, 0, 100) // the ring is as large as it will be
		got := testing.AllocsPerRun(200, func() { must(0, b.TrySend(1)) })
		runtime.KeepAlive(subs)
		return got
	}
	if one, many := cost(1), cost(1000); many != one {
		t.Errorf("%v allocations for 1 subscriber, %v for 1000", one, many)
	}
}

// B6, FB11: a stalled subscriber costs no memory that grows, and a forgotten one is
// collected.
func TestB6StalledAndForgotten(t *testing.T) {
	type blob struct{ _ [1 << 10]byte }
	b := broadcast.New[*blob](broadcast.WithCapacity(16))
	stalled := must(b.Subscribe())
	forgotten := weak.Make(must(b.Subscribe()))
	first := new(blob)
	old := weak.Make(first)
	must(0, b.TrySend(first))
	first = nil
	for range 100 {
		must(0, b.TrySend(new(blob)))
	}
	runtime.GC()
	runtime.GC()
	if old.Value() != nil {
		t.Error("a value is held that nobody can read any more")
	}
	if forgotten.Value() != nil {
		t.Error("a forgotten subscription is held")
	}
	if n := len(b.Stats().Subscriptions); n != 1 {
		t.Errorf("%d subscriptions known, want 1", n)
	}
	runtime.KeepAlive(stalled)
}

// B6: those who wait and give up leave nothing, though nothing is ever sent.
func TestB6WaitersLeaveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int]()
		s := must(b.Subscribe())
		wait := func(n int) {
			var wg sync.WaitGroup
			for range n {
				ctx, cancel := context.WithCancel(t.Context())
				wg.Go(func() { _, _ = s.Next(ctx) })
				synctest.Wait() // until it sleeps
				cancel()
				wg.Wait()
			}
		}
		wait(100)
		before := testkit.Heap()
		wait(10_000)
		if after := testkit.Heap(); after > before+500_000 {
			t.Errorf("the heap grew by %d bytes", after-before)
		}
		runtime.KeepAlive(b)
	})
}

// B7, FB12: replay meets live without a hole or a repetition, while values are sent.
func TestB7ReplayMeetsLive(t *testing.T) {
	const n = 3000
	b := broadcast.New[int](broadcast.WithCapacity(n))
	testkit.Watchdog(t, func() {
		var wg sync.WaitGroup
		wg.Go(func() { send(t, b, 0, n); b.Close() })
		for r := range 50 {
			s, err := b.Subscribe(broadcast.Replay(r * 10))
			if err != nil {
				break // closed already
			}
			wg.Go(func() {
				next := -1
				for gap, v := range s.All(t.Context()) {
					if gap != 0 || next >= 0 && v != next {
						t.Errorf("gap %d, value %d, want %d", gap, v, next)
						return
					}
					next = v + 1
				}
				if next >= 0 && next != n {
					t.Errorf("ended at %d", next)
				}
			})
			runtime.Gosched()
		}
		wg.Wait()
	})
}

// B7: Replay begins with the last values, as many as there are.
func TestB7Replay(t *testing.T) {
	b := broadcast.New[int](broadcast.WithCapacity(5))
	send(t, b, 0, 3)
	few := must(b.Subscribe(broadcast.Replay(100)))
	send(t, b, 3, 9)
	some := must(b.Subscribe(broadcast.Replay(2)))
	send(t, b, 9, 10)
	b.Close()
	got, missed := read(t, few, 0)
	if diff := cmp.Diff([]int{5, 6, 7, 8, 9}, got); diff != "" || missed != 5 {
		t.Errorf("missed %d (-want +got):\n%s", missed, diff)
	}
	got, _ = read(t, some, 7)
	if diff := cmp.Diff([]int{7, 8, 9}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// B7: nothing is delivered after Close on the subscription has returned.
func TestB7NothingAfterClose(t *testing.T) {
	testkit.Watchdog(t, func() {
		for range 200 {
			b := broadcast.New[int]()
			s := must(b.Subscribe())
			var closed atomic.Bool
			var wg sync.WaitGroup
			wg.Go(func() {
				for {
					late := closed.Load()
					_, err := s.Next(t.Context())
					if err != nil {
						return
					}
					if late {
						t.Error("delivered after Close")
					}
				}
			})
			wg.Go(func() { send(t, b, 0, 20) })
			s.Close()
			closed.Store(true)
			wg.Wait()
			if _, err := s.Next(t.Context()); err != broadcast.ErrClosed {
				t.Errorf("got %v", err)
			}
		}
	})
}

// FB7: no wake-up is lost: a reader that sleeps before each value gets all of them.
func TestNoWakeUpIsLost(t *testing.T) {
	rounds := 20_000
	if testing.Short() {
		rounds = 2_000
	}
	ping, pong := broadcast.New[int](broadcast.WithCapacity(1)), broadcast.New[int](broadcast.WithCapacity(1))
	a, b := must(ping.Subscribe()), must(pong.Subscribe(broadcast.OnOverflow(broadcast.Block)))
	testkit.Watchdog(t, func() {
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range rounds {
				if v, err := a.Next(t.Context()); v != i || err != nil {
					t.Errorf("got %d, %v; want %d", v, err, i)
				}
				must(0, pong.Send(t.Context(), i))
			}
		})
		for i := range rounds {
			must(0, ping.TrySend(i))
			if v, err := b.Next(t.Context()); v != i || err != nil {
				t.Errorf("got %d, %v; want %d", v, err, i)
			}
		}
		wg.Wait()
	})
}

// Everything at once: subscribe, close, cancel, stall, replay and send at random;
// the books of every subscription balance and its order is strict.
func TestChaos(t *testing.T) {
	n := 20_000
	if testing.Short() {
		n = 2_000
	}
	b := broadcast.New[int](broadcast.WithCapacity(32))
	testkit.Watchdog(t, func() {
		var sending, wg sync.WaitGroup
		var next atomic.Int64
		for range 3 {
			sending.Go(func() {
				for next.Add(1) <= int64(n) {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					if _, err := b.SendBatch(ctx, []int{1, 2}); err != nil {
						t.Error(err)
					}
					cancel()
				}
			})
		}
		for i := range 8 {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(i), 3))
				for int(next.Load()) < n {
					ctx, cancel := context.WithCancel(t.Context())
					s, err := b.Subscribe(broadcast.OnOverflow(broadcast.Policy(rnd.IntN(4))), broadcast.Replay(rnd.IntN(40)),
						broadcast.WithContext(ctx), broadcast.Name(fmt.Sprint(i)))
					if err != nil { // it was closed since
						cancel()
						if err != broadcast.ErrClosed {
							t.Error(err)
						}
						return
					}
					delivered, missed := uint64(0), uint64(0)
					stopAt := uint64(rnd.IntN(200))
					for gap := range s.All(t.Context()) {
						missed += gap
						if delivered++; delivered >= stopAt {
							break
						}
						if rnd.IntN(20) == 0 {
							runtime.Gosched()
						}
					}
					if rnd.IntN(2) == 0 {
						cancel()
						for {
							if _, err := s.Next(t.Context()); errors.Is(err, broadcast.ErrClosed) || err == broadcast.ErrSlow {
								break
							}
							delivered++
						}
					}
					s.Close()
					if s.Missed() < missed {
						t.Errorf("missed %d, but %d were reported", s.Missed(), missed)
					}
					cancel()
				}
			})
		}
		sending.Wait()
		b.Close()
		wg.Wait()
	})
	if st := b.Stats(); len(st.Subscriptions) != 0 || st.Sent != uint64(2*n) {
		t.Errorf("%+v", st)
	}
}
