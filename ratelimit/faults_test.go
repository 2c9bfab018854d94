package ratelimit_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/ratelimit"
)

// C1: a limiter leaves nothing behind, used, waited for or dropped. The bubble
// fails if a goroutine is left.
func TestC1NothingIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := runtime.NumGoroutine()
		for range 100 {
			l := ratelimit.New(ratelimit.Every(time.Second), 1)
			for range 3 {
				if err := l.Wait(t.Context()); err != nil {
					t.Error(err)
				}
			}
		}
		if now := runtime.NumGoroutine(); now > before {
			t.Errorf("%d goroutines, %d before", now, before)
		}
	})
}

// C2, FR13: a grant that meets a cancel is used or left for others: with as many
// permits as waiters that do not give up, all of these get one.
func TestC2GrantMeetsCancel(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 50
	}
	for range rounds {
		synctest.Test(t, func(t *testing.T) {
			cause := errors.New("no patience")
			l := ratelimit.New(ratelimit.Every(time.Millisecond), 1, ratelimit.WithSpent(1))
			start := time.Now()
			var wg sync.WaitGroup
			var early testkit.Gauge
			for i := range 20 {
				ctx, cancel := context.WithCancelCause(t.Context())
				if i%2 == 0 { // at the very instant at which a permit is due
					time.AfterFunc(time.Duration(i/2+1)*time.Millisecond, func() { cancel(cause) })
				}
				wg.Go(func() {
					defer cancel(nil)
					switch err := l.Wait(ctx); {
					case err == nil:
						early.Enter()
					case err != cause || i%2 == 1:
						t.Errorf("waiter %d: %v", i, err)
					}
				})
				synctest.Wait()
			}
			wg.Wait()
			if most := time.Since(start); most > time.Duration(early.Now())*time.Millisecond {
				t.Errorf("%d grants took %v: a permit was lost", early.Now(), most)
			}
		})
	}
	for range rounds {
		synctest.Test(t, grantsMeetCancels)
	}
}

// grantsMeetCancels: ten permits come at once, while ten of twenty who wait give up,
// some of them with a grant in their hands that the one in front has made.
func grantsMeetCancels(t *testing.T) {
	l := ratelimit.New(ratelimit.Every(24*time.Hour), 1, ratelimit.WithSpent(1))
	var waiters, acts sync.WaitGroup
	var granted testkit.Gauge
	giveUp := []func(){}
	for i := range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		waiters.Go(func() {
			if l.Wait(ctx) == nil {
				granted.Enter()
			}
		})
		synctest.Wait()
		if i%2 == 1 {
			giveUp = append(giveUp, cancel)
		}
	}
	acts.Go(func() { l.SetBurst(11) })
	for _, cancel := range giveUp {
		acts.Go(cancel)
	}
	acts.Wait()
	synctest.Wait()
	if n := granted.Now(); n != 10 {
		t.Errorf("%d grants of 10 permits", n)
	}
	_ = l.Close()
	waiters.Wait()
}

// C3: methods may be called from inside anything the limiter calls: the methods
// of a context.
func TestC3MethodsInsideAContext(t *testing.T) {
	l := ratelimit.New(ratelimit.Every(time.Microsecond), 1)
	ctx := &nosyContext{Context: t.Context(), ask: func() { l.Allow(); l.Take(1); l.SetBurst(1) }}
	testkit.Watchdog(t, func() {
		for range 20 {
			if err := l.Wait(ctx); err != nil {
				t.Error(err)
			}
		}
	})
}

type nosyContext struct {
	context.Context
	ask func()
}

func (c *nosyContext) Done() <-chan struct{}       { c.ask(); return c.Context.Done() }
func (c *nosyContext) Err() error                  { c.ask(); return c.Context.Err() }
func (c *nosyContext) Deadline() (time.Time, bool) { c.ask(); return c.Context.Deadline() }

// C5, FR4: misuse panics at the call that is wrong.
func TestC5MisusePanics(t *testing.T) {
	var none context.Context
	every := ratelimit.Every(time.Second)
	l := ratelimit.New(every, 1)
	tests := map[string]func(){
		"ratelimit: Per: number must not be negative, got -1":                         func() { ratelimit.Per(-1, 1) },
		"ratelimit: Per: duration must be positive, got 0s":                           func() { ratelimit.Per(1, 0) },
		"ratelimit: Every: duration must be positive, got -1ns":                       func() { ratelimit.Every(-1) },
		"ratelimit: New: burst must not be negative, got -1":                          func() { ratelimit.New(every, -1) },
		"ratelimit: New: the zero Rate is not usable, make one with Per or Every":     func() { ratelimit.New(ratelimit.Rate{}, 1) },
		"ratelimit: New: WithSpent must be at most the burst of 1, got 2":             func() { ratelimit.New(every, 1, ratelimit.WithSpent(2)) },
		"ratelimit: WithSpent: number must not be negative, got -1":                   func() { ratelimit.WithSpent(-1) },
		"ratelimit: AllowN: number must be at least 1, got 0":                         func() { l.AllowN(0) },
		"ratelimit: Take: number must be at least 1, got -5":                          func() { l.Take(-5) },
		"ratelimit: WaitN: number must be at least 1, got 0":                          func() { _ = l.WaitN(t.Context(), 0) },
		"ratelimit: ReserveN: number must be at least 1, got 0":                       func() { l.ReserveN(0) },
		"ratelimit: WaitN: context must not be nil":                                   func() { _ = l.Wait(none) },
		"ratelimit: SetBurst: burst must not be negative, got -1":                     func() { l.SetBurst(-1) },
		"ratelimit: SetRate: the zero Rate is not usable, make one with Per or Every": func() { l.SetRate(ratelimit.Rate{}) },
		"ratelimit: WithParent: limiter must not be nil":                              func() { ratelimit.WithParent(nil) },
		"ratelimit: WithWindow: burst must not be negative, got -1":                   func() { ratelimit.WithWindow(every, -1) },
		"ratelimit: Charge: number must be at least 1, got 0":                         func() { l.Charge(0) },
		"ratelimit: Settle: number must not be negative, got -1":                      func() { r := new(ratelimit.Reservation); r.Settle(-1) },
		"ratelimit: Reservation.Wait: context must not be nil":                        func() { r := new(ratelimit.Reservation); _ = r.Wait(none) },
	}
	var zero ratelimit.Limiter
	for call, fn := range map[string]func(){
		"Allow":      func() { zero.Allow() },
		"Take":       func() { zero.Take(1) },
		"Peek":       func() { zero.Peek() },
		"Charge":     func() { zero.Charge(1) },
		"Wait":       func() { _ = zero.Wait(t.Context()) },
		"Reserve":    func() { zero.Reserve() },
		"SetRate":    func() { zero.SetRate(every) },
		"SetBurst":   func() { zero.SetBurst(1) },
		"Limit":      func() { zero.Limit() },
		"Stats":      func() { zero.Stats() },
		"String":     func() { _ = zero.String() },
		"Close":      func() { _ = zero.Close() },
		"WithParent": func() { ratelimit.WithParent(&zero) },
	} {
		tests["ratelimit: "+call+": the zero Limiter is not usable, make one with New"] = fn
	}
	testkit.Panics(t, tests)
	if !l.Allow() {
		t.Error("a misuse has spent the permit")
	}
}

// C7: with a thousand waiting, time in a bubble moves, and only the head has a
// timer: nobody wakes who has nothing to do.
func TestC7TimeMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Every(time.Hour), 1, ratelimit.WithSpent(1))
		start := time.Now()
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				if err := l.Wait(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if d := time.Since(start); d != 1000*time.Hour {
			t.Errorf("took %v", d)
		}
	})
}

// C8: a limiter that is dropped is garbage, and so are those it was used with.
func TestC8LimitersAreGarbage(t *testing.T) {
	l := ratelimit.New(ratelimit.Every(time.Hour), 1, ratelimit.WithSpent(1))
	m := ratelimit.New(ratelimit.Every(time.Hour), 1, ratelimit.WithSpent(1), ratelimit.WithParent(l))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- m.Wait(ctx) }()
	cancel()
	<-done
	ref := weak.Make(m)
	m = nil
	runtime.GC()
	if ref.Value() != nil {
		t.Error("a limiter is held by its parent")
	}
	runtime.KeepAlive(l)
}

// Everything at once under the race detector, and then the books are right.
func TestChaos(t *testing.T) {
	l := ratelimit.New(ratelimit.Per(200_000, time.Second), 20)
	m := ratelimit.New(ratelimit.Per(100_000, time.Second), 10, ratelimit.WithWindow(ratelimit.Per(1_000_000, time.Minute), 1000), ratelimit.WithParent(l))
	rounds := 400
	if testing.Short() {
		rounds = 50
	}
	testkit.Watchdog(t, func() {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for r := range rounds {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r%100)*time.Microsecond)
					switch (i + r) % 8 {
					case 0:
						l.AllowN(1 + r%5)
					case 1:
						_ = l.WaitN(ctx, 1+r%5)
					case 2:
						_ = m.WaitN(ctx, 1+r%5)
					case 3:
						res := l.ReserveN(1 + r%5)
						_ = res.Delay()
						res.Cancel()
					case 4:
						m.Take(1 + r%3)
					case 5:
						l.SetRate(ratelimit.Per(100_000+r, time.Second))
					case 6:
						l.SetBurst(10 + r%20)
					default:
						_ = l.WaitN(t.Context(), 1)
					}
					cancel()
				}
			})
		}
		wg.Wait()
		l.SetBurst(20)
		l.SetRate(ratelimit.Unlimited)
		l.SetRate(ratelimit.Every(time.Hour))
	})
	if !l.AllowN(20) || l.Allow() {
		t.Error("an idle limiter does not grant its burst exactly")
	}
}

// R5: somebody waits for a key for so long that the table needs a new epoch when
// that is over, and owes something then.
func TestR5WaitOutlivesTheEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const all = 1_000_000_000
		x := ratelimit.NewKeyed[string](ratelimit.Per(999_999_937, time.Second), all, ratelimit.WithMaxKeys(8))
		x.Allow("another") // the epoch begins, and lasts for 1.15 s
		time.Sleep(500 * time.Millisecond)
		x.AllowN("key", all)
		if err := x.WaitN(t.Context(), "key", all); err != nil {
			t.Error(err)
		}
		if x.AllowN("key", 2) { // the other key owes nothing, and may have been evicted
			t.Errorf("what is owed is forgotten; %+v", x.Stats())
		}
	})
}
