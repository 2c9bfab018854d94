package broadcast_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/casttest"
	"github.com/tandemgo/tandem/internal/testkit"
)

// C1: Close waits for the goroutine of Chan, whatever that is doing.
func TestC1CloseJoinsChan(t *testing.T) {
	for _, buf := range []int{0, 5} {
		synctest.Test(t, func(t *testing.T) {
			b := broadcast.New[int]()
			idle, stuck, read := must(b.Subscribe()), must(b.Subscribe()), must(b.Subscribe())
			idleCh := broadcast.Chan(idle, buf)
			idle.Close()
			broadcast.Chan(stuck, buf)
			ch := broadcast.Chan(read, buf)
			if broadcast.Chan(read, 99) != ch {
				t.Error("a second call gives another channel")
			}
			send(t, b, 0, 20)
			for i := range 20 {
				if v := <-ch; v != i {
					t.Errorf("got %d, want %d", v, i)
				}
			}
			synctest.Wait()
			stuck.Close() // while it sends
			b.Close()
			if _, ok := <-ch; ok {
				t.Error("a value after the end")
			}
			if _, ok := <-idleCh; ok {
				t.Error("a value on a closed subscription")
			}
			if _, ok := <-broadcast.Chan(idle, 1); ok {
				t.Error("a value on a closed subscription")
			}
			read.Close()
		})
	}
}

// C1, FB10: when Close returns, the channel is closed already.
func TestC1ChanIsClosedWhenCloseReturns(t *testing.T) {
	testkit.Watchdog(t, func() {
		for range 500 {
			b := broadcast.New[int]()
			s := must(b.Subscribe())
			ch := broadcast.Chan(s, 0)
			must(b.SendBatch(t.Context(), []int{1, 2, 3}))
			s.Close()
			select {
			case _, ok := <-ch:
				if ok {
					t.Fatal("a value after Close")
				}
			default:
				t.Fatal("the goroutine of Chan outlives Close")
			}
		}
	})
}

// C2: everything that blocks returns the cause of its context.
func TestC2CauseOfTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("enough")
		b := broadcast.New[int](broadcast.WithCapacity(1))
		s := must(b.Subscribe())
		must(b.Subscribe(broadcast.WithOverflow(broadcast.Block)))
		ctx, cancel := context.WithCancelCause(t.Context())
		var wg sync.WaitGroup
		check := func(err error) {
			if err != cause {
				t.Errorf("got %v, want %v", err, cause)
			}
		}
		calls := []func(){
			func() { _, err := s.Next(ctx); check(err) },
			func() { _, err := s.NextBatch(ctx, make([]int, 3)); check(err) },
			func() {
				for range casttest.WithGaps(s.All(ctx)) {
					t.Error("a value")
				}
			},
		}
		for _, call := range calls {
			wg.Go(call)
		}
		synctest.Wait()
		cancel(cause)
		wg.Wait()
		for _, call := range calls { // ended before
			call()
		}
		must(0, b.TrySend(1))
		blocked, cancel2 := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel2(cause) })
		n, err := b.SendBatch(blocked, []int{2, 3})
		check(err)
		if n != 0 {
			t.Errorf("%d sent", n)
		}
		check(b.Send(blocked, 4))
	})
}

// C2, FB9: a wake-up that meets a cancel is handed on: of two senders in line, one
// that gives up as there is room does not keep the other waiting.
func TestC2WakeUpMeetsCancel(t *testing.T) {
	rounds := 2000
	if testing.Short() {
		rounds = 200
	}
	for range rounds {
		synctest.Test(t, func(t *testing.T) {
			b := broadcast.New[int](broadcast.WithCapacity(1))
			s := must(b.Subscribe(broadcast.WithOverflow(broadcast.Block)))
			must(0, b.TrySend(0))
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wg.Go(func() { _ = b.Send(ctx, 1) })
			synctest.Wait()
			wg.Go(func() { must(0, b.Send(t.Context(), 2)) })
			synctest.Wait() // both are in line
			wg.Go(cancel)
			for v := 0; v != 2; {
				v = must(s.Next(t.Context()))
			}
			s.Close()
			wg.Wait()
		})
	}
}

// C3, C6, FB2: every method may be called inside a loop over a subscription, closing
// included, from many places and many times.
func TestC3EverythingInsideALoop(t *testing.T) {
	testkit.Watchdog(t, func() {
		b := broadcast.New[int]()
		s := must(b.Subscribe())
		must(0, b.TrySend(0))
		n := 0
		for range casttest.WithGaps(s.All(t.Context())) {
			n++
			must(0, b.Send(t.Context(), n))
			inner := must(b.Subscribe(broadcast.WithReplay(1)))
			must(inner.Next(t.Context()))
			inner.Close()
			inner.Close()
			b.Stats()
			s.Backlog()
			s.Missed()
			if n == 10 {
				s.Close()
				b.Close()
			}
		}
		if n != 10 {
			t.Errorf("%d values; the loop went on after Close", n)
		}
	})
}

// C5, FC2: misuse panics at the call that is wrong.
func TestC5MisusePanics(t *testing.T) {
	var none context.Context
	b := broadcast.New[int]()
	s := must(b.Subscribe())
	var zero broadcast.Broadcast[int]
	var unmade broadcast.Subscription[int]
	var topics broadcast.Topics[string, int]
	tests := map[string]func(){
		"broadcast: Send: the zero Broadcast is not usable, make one with New":      func() { _ = zero.Send(t.Context(), 1) },
		"broadcast: TrySend: the zero Broadcast is not usable, make one with New":   func() { _ = zero.TrySend(1) },
		"broadcast: SendBatch: the zero Broadcast is not usable, make one with New": func() { _, _ = zero.SendBatch(t.Context(), []int{1}) },
		"broadcast: Subscribe: the zero Broadcast is not usable, make one with New": func() { _, _ = zero.Subscribe() },
		"broadcast: ReportGap: the zero Broadcast is not usable, make one with New": func() { _ = zero.ReportGap(1) },

		"broadcast: Close: the zero Broadcast is not usable, make one with New":                       func() { _ = zero.Close() },
		"broadcast: Stats: the zero Broadcast is not usable, make one with New":                       func() { zero.Stats() },
		"broadcast: Next: the zero Subscription is not usable, make one with Subscribe":               func() { _, _ = unmade.Next(t.Context()) },
		"broadcast: NextBatch: the zero Subscription is not usable, make one with Subscribe":          func() { _, _ = unmade.NextBatch(t.Context(), make([]int, 1)) },
		"broadcast: All: the zero Subscription is not usable, make one with Subscribe":                func() { unmade.All(t.Context()) },
		"broadcast: Chan: the zero Subscription is not usable, make one with Subscribe":               func() { broadcast.Chan(&unmade, 0) },
		"broadcast: Position: the zero Subscription is not usable, make one with Subscribe":           func() { unmade.Position() },
		"broadcast: Backlog: the zero Subscription is not usable, make one with Subscribe":            func() { unmade.Backlog() },
		"broadcast: Missed: the zero Subscription is not usable, make one with Subscribe":             func() { unmade.Missed() },
		"broadcast: Subscription.Close: the zero Subscription is not usable, make one with Subscribe": func() { _ = unmade.Close() },
		"broadcast: Topics.Send: the zero Topics is not usable, make one with NewTopics":              func() { _ = topics.Send(t.Context(), "a", 1) },
		"broadcast: Topics.TrySend: the zero Topics is not usable, make one with NewTopics":           func() { _ = topics.TrySend("a", 1) },
		"broadcast: Topics.SendBatch: the zero Topics is not usable, make one with NewTopics":         func() { _, _ = topics.SendBatch(t.Context(), "a", nil) },
		"broadcast: Topics.Subscribe: the zero Topics is not usable, make one with NewTopics":         func() { _, _ = topics.Subscribe("a") },
		"broadcast: Topics.SubscribeKeys: the zero Topics is not usable, make one with NewTopics":     func() { _, _ = topics.SubscribeKeys(nil) },
		"broadcast: Topics.SubscribeFunc: the zero Topics is not usable, make one with NewTopics":     func() { _, _ = topics.SubscribeFunc(func(string) bool { return true }) },
		"broadcast: Topics.Keys: the zero Topics is not usable, make one with NewTopics":              func() { topics.Keys() },
		"broadcast: Topics.Stats: the zero Topics is not usable, make one with NewTopics":             func() { topics.Stats("a") },
		"broadcast: Topics.Close: the zero Topics is not usable, make one with NewTopics":             func() { _ = topics.Close() },

		"broadcast: WithCapacity: capacity must be at least 1, got 0":                                        func() { broadcast.WithCapacity(0) },
		"broadcast: WithLagHandler: function must not be nil":                                                func() { broadcast.WithLagHandler(nil) },
		"broadcast: WithMaxBacklog: number must be at least 1, got 0":                                        func() { broadcast.WithMaxBacklog(0) },
		"broadcast: WithOverflow: policy must be SkipOldest, SkipToLatest, Disconnect, Block or Grow, got 9": func() { broadcast.WithOverflow(9) },
		"broadcast: WithReplay: number must not be negative, got -1":                                         func() { broadcast.WithReplay(-1) },
		"broadcast: WithContext: context must not be nil":                                                    func() { broadcast.WithContext(none) },
		"broadcast: Send: context must not be nil":                                                           func() { _ = b.Send(none, 1) },
		"broadcast: SendBatch: context must not be nil":                                                      func() { _, _ = b.SendBatch(none, nil) },
		"broadcast: Next: context must not be nil":                                                           func() { _, _ = s.Next(none) },
		"broadcast: NextBatch: context must not be nil":                                                      func() { _, _ = s.NextBatch(none, make([]int, 1)) },
		"broadcast: NextBatch: destination must have room for a value, got none":                             func() { _, _ = s.NextBatch(t.Context(), nil) },
		"broadcast: All: context must not be nil":                                                            func() { s.All(none) },
		"broadcast: Chan: size must not be negative, got -1":                                                 func() { broadcast.Chan(s, -1) },
	}
	testkit.Panics(t, tests)
}

// C6, FC6: closing is idempotent, from 64 goroutines, while values are sent and read.
func TestC6CloseFromEverywhere(t *testing.T) {
	testkit.Watchdog(t, func() {
		b := broadcast.New[int](broadcast.WithCapacity(2))
		s := must(b.Subscribe(broadcast.WithOverflow(broadcast.Block)))
		ch := broadcast.Chan(must(b.Subscribe()), 0)
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				if err := b.Send(t.Context(), i); err != nil && !errors.Is(err, broadcast.ErrClosed) {
					t.Error(err)
				}
			})
			wg.Go(func() {
				if i%2 == 0 {
					s.Close()
				} else {
					b.Close()
				}
			})
		}
		wg.Wait()
		for range ch {
		}
		if _, err := b.Subscribe(); err != broadcast.ErrClosed {
			t.Errorf("Subscribe: %v", err)
		}
		if err := b.TrySend(1); err != broadcast.ErrClosed {
			t.Errorf("TrySend: %v", err)
		}
	})
}

// C7: readers and senders that wait are durably blocked: time moves.
func TestC7TimeMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int](broadcast.WithCapacity(1))
		s := must(b.Subscribe(broadcast.WithOverflow(broadcast.Block)))
		start := time.Now()
		go func() {
			for i := range 10 {
				time.Sleep(time.Hour)
				must(0, b.Send(t.Context(), i))
			}
			b.Close()
		}()
		n := 0
		for range casttest.WithGaps(s.All(t.Context())) {
			n++
			time.Sleep(2 * time.Hour)
		}
		if n != 10 || time.Since(start) != 21*time.Hour {
			t.Errorf("%d values in %v", n, time.Since(start))
		}
	})
}

// C7: a broadcast made outside of a bubble works inside.
func TestC7MadeOutside(t *testing.T) {
	b := broadcast.New[int]()
	s := must(b.Subscribe())
	synctest.Test(t, func(t *testing.T) {
		time.AfterFunc(time.Hour, func() { must(0, b.TrySend(7)) })
		if v, err := s.Next(t.Context()); v != 7 || err != nil {
			t.Errorf("got %d, %v", v, err)
		}
	})
}

// FB14: close of the broadcast: what was sent is still read, by everybody.
func TestCloseDrains(t *testing.T) {
	b := broadcast.New[int]()
	s := must(b.Subscribe())
	send(t, b, 0, 5)
	b.Close()
	dst := make([]int, 3)
	var got []int
	for {
		n, err := s.NextBatch(t.Context(), dst)
		if err != nil {
			if err != broadcast.ErrClosed {
				t.Errorf("got %v", err)
			}
			break
		}
		got = append(got, dst[:n]...)
	}
	if diff := cmp.Diff([]int{0, 1, 2, 3, 4}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// WithContext: the error says both that it is closed and why.
func TestWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("viewer left")
		ctx, cancel := context.WithCancelCause(t.Context())
		b := broadcast.New[int]()
		s := must(b.Subscribe(broadcast.WithContext(ctx)))
		time.AfterFunc(time.Second, func() { cancel(cause) })
		_, err := s.Next(t.Context())
		if !errors.Is(err, broadcast.ErrClosed) || !errors.Is(err, cause) {
			t.Errorf("got %v", err)
		}
	})
}

// Several readers of one subscription share its values, each once.
func TestReadersShareASubscription(t *testing.T) {
	const n = 5000
	b := broadcast.New[int](broadcast.WithCapacity(16))
	s := must(b.Subscribe(broadcast.WithOverflow(broadcast.Block)))
	ledger := testkit.NewLedger(n)
	testkit.Watchdog(t, func() {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for _, v := range casttest.WithGaps(s.All(t.Context())) {
					ledger.Note(v)
				}
			})
		}
		send(t, b, 0, n)
		b.Close()
		wg.Wait()
	})
	ledger.ExactlyOnce(t)
}

// A batch larger than the capacity passes a Block subscriber whole.
func TestSendBatchLargerThanCapacity(t *testing.T) {
	b := broadcast.New[int](broadcast.WithCapacity(4))
	s := must(b.Subscribe(broadcast.WithOverflow(broadcast.Block)))
	batch := make([]int, 1000)
	for i := range batch {
		batch[i] = i
	}
	testkit.Watchdog(t, func() {
		go func() {
			if n, err := b.SendBatch(t.Context(), batch); n != 1000 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
			b.Close()
		}()
		got, missed := read(t, s, 0)
		if len(got) != 1000 || missed != 0 {
			t.Errorf("%d values, %d missed", len(got), missed)
		}
	})
}

// C9: values come typed.
func TestC9Typed(t *testing.T) {
	type celsius int
	b := broadcast.New[celsius]()
	s := must(b.Subscribe())
	must(0, b.TrySend(celsius(21)))
	var c celsius = must(s.Next(t.Context()))
	if c != 21 {
		t.Error(c)
	}
}
