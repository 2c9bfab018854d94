package broadcast_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"weak"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/testkit"
)

// B6: a subscriber that has stalled in the middle of what was sent holds one
// chunk, and not all that follow; nor does one that is forgotten.
func TestB6StalledHoldsOneChunk(t *testing.T) {
	const capacity = 64 // chunks of 16 at most
	type blob struct{ _ [64]byte }
	b := broadcast.New[*blob](broadcast.WithCapacity(capacity))
	var all []weak.Pointer[blob]
	sendBlobs := func(n int) {
		for range n {
			v := new(blob)
			all = append(all, weak.Make(v))
			must(0, b.TrySend(v))
		}
	}
	alive := func() (n int) {
		runtime.GC()
		for _, p := range all {
			if p.Value() != nil {
				n++
			}
		}
		return n
	}
	var stalled []*broadcast.Subscription[*blob]
	for range 5 { // each stalls elsewhere
		s := must(b.Subscribe())
		sendBlobs(40)
		for range 10 {
			must(s.Next(t.Context()))
		}
		stalled = append(stalled, s)
	}
	sendBlobs(5000)
	// The log has the capacity and one chunk, each stalled one the chunk it is in.
	const chunk = capacity / 4
	if n := alive(); n > capacity+chunk+len(stalled)*chunk || n < capacity {
		t.Errorf("%d values are alive", n)
	}
	for _, s := range stalled {
		_, err := s.Next(t.Context())
		if _, ok := errors.AsType[*broadcast.GapError](err); !ok {
			t.Errorf("got %v, want a gap", err)
		}
	}
	stalled = nil
	sendBlobs(1)
	if n := alive(); n > capacity+chunk {
		t.Errorf("%d values are alive when the stalled ones are forgotten", n)
	}
	runtime.KeepAlive(b)
}

// B6: the heap is bounded however much is sent past a stalled subscriber.
func TestB6HeapIsBounded(t *testing.T) {
	n := 10_000_000
	if testing.Short() {
		n = 200_000
	}
	b := broadcast.New[[2]int]()
	stalled := must(b.Subscribe())
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	batch := make([][2]int, 100)
	sendAll := func(n int) {
		for range n / len(batch) {
			must(b.SendBatch(t.Context(), batch))
		}
	}
	sendAll(10_000)
	before := heap()
	sendAll(n)
	if after := heap(); after > before+100_000 {
		t.Errorf("the heap grew by %d bytes", after-before)
	}
	if m := stalled.Missed() + stalled.Backlog(); m != b.Stats().Sent {
		t.Errorf("the stalled one knows of %d", m)
	}
}

// B6, FB8: subscriptions that have waited in vain and are forgotten leave nothing on
// the list of those who sleep, though nothing is ever sent.
func TestB6NothingIsLeftAsleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int]()
		heap := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		wait := func(n int) {
			for i := range n {
				s := must(b.Subscribe())
				ctx, cancel := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				wg.Go(func() { _, _ = s.Next(ctx) })
				synctest.Wait()
				if i%2 == 0 {
					s.Close()
				}
				cancel()
				wg.Wait()
			}
		}
		wait(100)
		before := heap()
		wait(5000)
		if after := heap(); after > before+400_000 {
			t.Errorf("the heap grew by %d bytes", after-before)
		}
		runtime.KeepAlive(b)
	})
}

// B6: a forgotten subscription with a context is collected though that goes on.
func TestB6ContextDoesNotHoldASubscription(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b := broadcast.New[int]()
	s := weak.Make(must(b.Subscribe(broadcast.WithContext(ctx))))
	runtime.GC()
	runtime.GC()
	if s.Value() != nil {
		t.Error("it is held")
	}
	runtime.KeepAlive(b)
}

// B2: who is the capacity behind and no more has missed nothing, whatever the
// policy; with one value more, it has.
func TestB2JustNotTooSlow(t *testing.T) {
	for p := broadcast.SkipOldest; p <= broadcast.Disconnect; p++ {
		b := broadcast.New[int](broadcast.WithCapacity(7))
		s := must(b.Subscribe(broadcast.OnOverflow(p)))
		send(t, b, 0, 7)
		if s.Missed() != 0 || s.Backlog() != 7 {
			t.Errorf("policy %d: missed %d, backlog %d", p, s.Missed(), s.Backlog())
		}
		if p != broadcast.Block {
			send(t, b, 7, 8)
			if s.Missed()+s.Backlog() != 8 || s.Missed() == 0 {
				t.Errorf("policy %d, one more: missed %d, backlog %d", p, s.Missed(), s.Backlog())
			}
			continue
		}
		for i := range 7 {
			if v, err := s.Next(t.Context()); v != i || err != nil {
				t.Errorf("policy %d: got %d, %v", p, v, err)
			}
		}
	}
}

// From goes on where another subscription was; what is gone is an exact gap, for
// each policy.
func TestFrom(t *testing.T) {
	b := broadcast.New[int](broadcast.WithCapacity(10))
	send(t, b, 0, 25)
	for _, tt := range []struct {
		policy broadcast.Policy
		from   uint64
		missed uint64
		first  int
		seq    uint64
	}{
		{broadcast.SkipOldest, 3, 12, 15, 3},
		{broadcast.SkipOldest, 15, 0, 15, 15},
		{broadcast.SkipOldest, 20, 0, 20, 20},
		{broadcast.SkipToLatest, 3, 21, 24, 3},
		{broadcast.SkipToLatest, 20, 0, 20, 20},
		{broadcast.Block, 3, 12, 15, 3},
		{broadcast.SkipOldest, 99, 0, 25, 25},
	} {
		s := must(b.Subscribe(broadcast.OnOverflow(tt.policy), broadcast.From(tt.from), broadcast.Replay(1)))
		if s.Seq() != tt.seq || s.Missed() != tt.missed {
			t.Errorf("%+v: at %d, missed %d", tt, s.Seq(), s.Missed())
		}
		if tt.first == 25 {
			must(0, b.TrySend(25))
		}
		for missed, v := range s.All(t.Context()) {
			if missed != tt.missed || v != tt.first || s.Seq() != uint64(v)+1 {
				t.Errorf("%+v: missed %d, got %d, then at %d", tt, missed, v, s.Seq())
			}
			break
		}
		s.Close()
	}
	slow := must(b.Subscribe(broadcast.OnOverflow(broadcast.Disconnect), broadcast.From(1)))
	if _, err := slow.Next(t.Context()); err != broadcast.ErrSlow {
		t.Errorf("got %v", err)
	}
}

// B4: only the last Block subscriber to get out of the way lets the sender go on.
func TestB4SenderWaitsForTheSlowest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int](broadcast.WithCapacity(2))
		subs := make([]*broadcast.Subscription[int], 5)
		for i := range subs {
			subs[i] = must(b.Subscribe(broadcast.OnOverflow(broadcast.Block)))
		}
		send(t, b, 0, 2)
		var sent atomic.Bool
		go func() { must(0, b.Send(t.Context(), 2)); sent.Store(true) }()
		for _, i := range []int{3, 0, 4, 1, 2} {
			synctest.Wait()
			if sent.Load() {
				t.Error("sent past one that has no room")
			}
			if i == 4 {
				subs[i].Close()
			} else {
				must(subs[i].Next(t.Context()))
			}
		}
		synctest.Wait()
		if !sent.Load() {
			t.Error("the sender was not woken")
		}
	})
}

// B2: a value that Chan could not hand over before Close was not delivered.
func TestB2ChanTakesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int](broadcast.WithCapacity(4))
		s := must(b.Subscribe())
		ch := s.Chan(1)
		send(t, b, 0, 3)
		synctest.Wait() // one on the channel, one in hand, one in the log
		s.Close()
		n := 0
		for range ch {
			n++
		}
		if n != 1 || s.Backlog() != 2 || s.Missed() != 0 {
			t.Errorf("%d delivered, backlog %d, missed %d", n, s.Backlog(), s.Missed())
		}
	})
}

// B1, B6: several goroutines that park on one subscription each get their own
// value, and closing it wakes all of them.
func TestManyReadersPark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int]()
		s := must(b.Subscribe())
		ledger := testkit.NewLedger(4)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if v, err := s.Next(t.Context()); err == nil {
					ledger.Note(v)
				}
			})
		}
		for i := range 4 {
			synctest.Wait()
			must(0, b.TrySend(i))
		}
		synctest.Wait()
		s.Close()
		wg.Wait()
		ledger.ExactlyOnce(t)
	})
}

// B5: Send and reading do not allocate but for the log, and waiting does not at
// all once a subscription has waited.
func TestB5Allocations(t *testing.T) {
	b := broadcast.New[int](broadcast.WithCapacity(1 << 20))
	s := must(b.Subscribe())
	send(t, b, 0, 2000) // chunks have their size
	if n := testing.AllocsPerRun(100, func() {
		must(0, b.Send(t.Context(), 1))
		must(s.Next(t.Context()))
	}); n > 0 { // a chunk each 256 values
		t.Errorf("%v allocations for a value", n)
	}
}

// B1, B2, B7: conservation in bulk. Subscribe, close, cancel, stall and replay at
// random, while values that are their own numbers are sent: for every subscription
// the order is strict, each gap exact, and delivered + missed + backlog is what
// was sent between its beginning and its end. TANDEM_SOAK sets the number of
// deliveries: TANDEM_SOAK=100000000 go test -run Soak -timeout 2h ./broadcast
func TestSoak(t *testing.T) {
	want := int64(2_000_000)
	soaking := os.Getenv("TANDEM_SOAK")
	if soaking != "" {
		want = int64(must(strconv.Atoi(soaking)))
	} else if testing.Short() {
		want = 30_000
	}
	var total, accounts atomic.Int64
	for total.Load() < want && !t.Failed() {
		seed := rand.Uint64()
		part := min(want-total.Load(), 5_000_000)
		testkit.Watchdog(t, func() { soak(t, seed, part, &total, &accounts) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d values delivered to %d subscriptions", total.Load(), accounts.Load())
}

func soak(t *testing.T, seed uint64, part int64, total, accounts *atomic.Int64) {
	plan := rand.New(rand.NewPCG(seed, 1))
	b := broadcast.New[uint64](broadcast.WithCapacity(1 + plan.IntN(200)))
	goal := total.Load() + part
	var over atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() { // one sender, so that values are their own numbers
		rnd := rand.New(rand.NewPCG(seed, 2))
		batch := make([]uint64, 100)
		for next := uint64(0); total.Load() < goal && !t.Failed(); {
			n := 1 + rnd.IntN(len(batch))
			for i := range n {
				batch[i] = next + uint64(i)
			}
			ctx, cancel := context.WithCancel(t.Context())
			if rnd.IntN(10) == 0 {
				go cancel()
			}
			sent, err := b.SendBatch(ctx, batch[:n])
			cancel()
			if sent < n && err == nil {
				t.Errorf("%d of %d sent and no error", sent, n)
			}
			next += uint64(sent)
			for rnd.IntN(3) == 0 {
				runtime.Gosched()
			}
		}
		over.Store(true)
		b.Close()
	})
	for i := range 16 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(i+10)))
			for !over.Load() && !t.Failed() {
				if n, ok := soakOne(t, b, rnd); ok {
					total.Add(n)
					accounts.Add(1)
				}
			}
		})
	}
	wg.Wait()
}

// soakOne is the life of one subscription. It returns how much was delivered.
func soakOne(t *testing.T, b *broadcast.Broadcast[uint64], rnd *rand.Rand) (delivered int64, ok bool) {
	policy := broadcast.Policy(rnd.IntN(4))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	before := b.Stats().Sent
	s, err := b.Subscribe(broadcast.OnOverflow(policy), broadcast.WithContext(ctx), broadcast.Replay(rnd.IntN(100)), broadcast.Name(fmt.Sprint(policy)))
	if err != nil {
		return 0, false
	}
	start := s.Seq()
	next := start
	if after := b.Stats().Sent; start > after || start+100+200 < before {
		t.Errorf("begins at %d, between %d and %d", start, before, after)
	}
	dst := make([]uint64, 1+rnd.IntN(300))
	missed := uint64(0)
	for range rnd.IntN(2000) {
		n, err := s.NextBatch(ctx, dst)
		if gap, is := errors.AsType[*broadcast.GapError](err); is {
			missed += gap.Missed
			next += gap.Missed
			continue
		}
		if err != nil {
			break
		}
		for _, v := range dst[:n] {
			if v != next {
				t.Errorf("policy %d: got %d, want %d", policy, v, next)
				return 0, false
			}
			next++
		}
		delivered += int64(n)
		switch rnd.IntN(200) {
		case 0: // stalls
			for range rnd.IntN(100) {
				runtime.Gosched()
			}
		case 1:
			cancel()
		}
	}
	low := b.Stats().Sent
	if rnd.IntN(2) == 0 {
		cancel()
	}
	s.Close()
	high := b.Stats().Sent
	sum := start + uint64(delivered) + s.Missed() + s.Backlog()
	if sum > high || sum < low && ctx.Err() == nil && policy != broadcast.Disconnect {
		t.Errorf("policy %d: from %d, delivered %d, missed %d, backlog %d: %d, not between %d and %d",
			policy, start, delivered, s.Missed(), s.Backlog(), sum, low, high)
	}
	if s.Seq() != start+uint64(delivered)+s.Missed() {
		t.Errorf("policy %d: at %d, from %d, delivered %d, missed %d", policy, s.Seq(), start, delivered, s.Missed())
	}
	if policy == broadcast.Block && s.Missed() > 0 {
		t.Errorf("a Block subscription missed %d", s.Missed())
	}
	if s.Missed() < missed {
		t.Errorf("policy %d: %d missed, but gaps of %d were reported", policy, s.Missed(), missed)
	}
	return delivered, true
}

// Batches reach all, in order, whatever size they have.
func TestSendBatchSizes(t *testing.T) {
	b := broadcast.New[int](broadcast.WithCapacity(1000))
	s := must(b.Subscribe())
	var want, got []int
	for n := range 40 {
		batch := make([]int, n)
		for i := range batch {
			batch[i] = len(want)
			want = append(want, batch[i])
		}
		if sent := must(b.SendBatch(t.Context(), batch)); sent != n {
			t.Errorf("%d of %d sent", sent, n)
		}
	}
	b.Close()
	for _, v := range s.All(t.Context()) {
		got = append(got, v)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
