package ratelimit_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/ratelimit"
)

// A desk is what pairs of methods work on.
type desk struct {
	ctx    context.Context
	cancel func()
	l      *ratelimit.Limiter
	r      ratelimit.Reservation
	m      *ratelimit.Limiter
	x      *ratelimit.Keyed[int]
}

// Every pair of methods may be called at once, and then the books are right: no
// more is granted than the burst.
func TestFaultFC10AllPairsAtOnce(t *testing.T) {
	check := func(err error) {
		if err != nil && !errors.Is(err, ratelimit.ErrClosed) && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	}
	every := ratelimit.Every(time.Millisecond)
	calls := map[string]func(desk){
		"Keyed.Allow":        func(d desk) { d.x.Allow(1) },
		"Keyed.AllowN":       func(d desk) { d.x.AllowN(1, 2) },
		"Keyed.Forget":       func(d desk) { d.x.Forget(1) },
		"Keyed.Stats":        func(d desk) { d.x.Stats() },
		"Keyed.Take":         func(d desk) { _, err := d.x.Take(d.ctx, 1, 1); check(err) },
		"Keyed.Wait":         func(d desk) { check(d.x.Wait(d.ctx, 1)) },
		"Keyed.WaitN":        func(d desk) { check(d.x.WaitN(d.ctx, 1, 2)) },
		"Limiter.Allow":      func(d desk) { d.l.Allow() },
		"Limiter.AllowN":     func(d desk) { d.l.AllowN(2) },
		"Limiter.Reserve":    func(d desk) { d.l.Reserve() },
		"Limiter.ReserveN":   func(d desk) { r := d.l.ReserveN(2); r.Cancel() },
		"Limiter.SetBurst":   func(d desk) { d.l.SetBurst(3) },
		"Limiter.SetRate":    func(d desk) { d.l.SetRate(ratelimit.Per(2, time.Millisecond)) },
		"Limiter.Close":      func(d desk) { check(d.l.Close()) },
		"Limiter.Take":       func(d desk) { d.l.Take(1) },
		"Limiter.Wait":       func(d desk) { check(d.l.Wait(d.ctx)) },
		"Limiter.WaitN":      func(d desk) { check(d.l.WaitN(d.ctx, 2)) },
		"child.Allow":        func(d desk) { d.m.Allow() },
		"child.AllowN":       func(d desk) { d.m.AllowN(2) },
		"child.Take":         func(d desk) { d.m.Take(1) },
		"child.Wait":         func(d desk) { check(d.m.Wait(d.ctx)) },
		"child.WaitN":        func(d desk) { check(d.m.WaitN(d.ctx, 2)) },
		"Reservation.Cancel": func(d desk) { r := d.l.Reserve(); r.Cancel() },
		"Reservation.Settle": func(d desk) { r := d.x.Reserve(1, 2); r.Settle(3); r.Settle(0) },
		"Reservation.Wait": func(d desk) {
			r := d.l.Reserve()
			if r.OK() {
				check(r.Wait(d.ctx))
			}
		},
		"Keyed.Charge":  func(d desk) { d.x.Charge(1, 1) },
		"Keyed.Peek":    func(d desk) { d.x.Peek(1) },
		"Keyed.Reserve": func(d desk) { r := d.x.Reserve(1, 1); r.Cancel() },
		"Keyed.Set": func(d desk) {
			d.x.Set(1, ratelimit.Window{Rate: every, Burst: 3}, ratelimit.Window{Rate: every, Burst: 4})
		},
		"Limiter.Charge":    func(d desk) { d.l.Charge(1) },
		"Limiter.Limit":     func(d desk) { d.l.Limit() },
		"Limiter.Peek":      func(d desk) { d.l.Peek() },
		"Limiter.Stats":     func(d desk) { _ = d.l.Stats().String() },
		"Limiter.String":    func(d desk) { _ = d.l.String() },
		"child.Reserve":     func(d desk) { r := d.m.Reserve(); r.Settle(2) },
		"Reservation.Delay": func(d desk) { d.r.Delay() },
		"Reservation.OK":    func(d desk) { d.r.OK() },
	}
	testkit.Complete(t, testkit.Exported(t, "Limiter", "Keyed", "Reservation"), calls)
	testkit.Pairs(t, calls, func() desk {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Millisecond)
		d := desk{ctx: ctx, cancel: cancel, l: ratelimit.New(every, 3), x: ratelimit.NewKeyed[int](every, 3)}
		d.l.AllowN(3)
		d.x.AllowN(1, 3)
		d.r = d.l.Reserve()
		d.m = ratelimit.New(every, 3, ratelimit.WithSpent(3), ratelimit.WithParent(d.l))
		return d
	}, func(d desk) {
		d.cancel()
		d.l.SetRate(ratelimit.Unlimited) // nothing is owed any more
		d.l.SetRate(ratelimit.Every(time.Hour))
		got := 0
		for range 10 {
			if d.l.Allow() {
				got++
			}
		}
		if got != 3 && got != 0 { // 0 if it was stopped
			t.Errorf("%d permits of a burst of 3", got)
		}
	})
}

func TestRatesInJSON(t *testing.T) {
	text, err := json.Marshal([]any{ratelimit.Per(10, time.Second), ratelimit.Unlimited, ratelimit.Window{Rate: ratelimit.Per(1, time.Hour), Burst: 2}})
	if want := `["10 per 1s","unlimited",{"Rate":"1 per 1h0m0s","Burst":2}]`; string(text) != want || err != nil {
		t.Errorf("%s, %v; want %s", text, err, want)
	}
}
