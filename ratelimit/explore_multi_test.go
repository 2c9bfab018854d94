//go:build points

package ratelimit

import (
	"context"
	"testing"
	"time"

	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/point"
)

// R1, R2: claims on two limiters and on one of them answer as if they came one
// after the other.
func TestExploreMultiClaims(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		l, h := New(Every(tick), 2), newHistory(2, tick)
		m := All(l, New(Every(tick), 3))
		r.Go("all", func() { h.claim(1, m.Allow) })
		r.Go("one", func() { h.claim(1, l.Allow) })
		r.Go("clock", func() { r.Pass(tick) })
		r.After(func() {
			h.claim(1, m.Allow)
			h.check(t, false)
		})
	})
}

// R2, R3, C2: of two that wait for all, the first one gives up; one that waits for
// a member as well is granted what that leaves.
func TestExploreMultiCancelMeetsGrant(t *testing.T) {
	for _, name := range []string{"all", "a member"} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				l, h := New(Every(tick), 1), newHistory(1, tick)
				m := All(l, New(Unlimited, 1))
				h.claim(1, m.Allow)
				ctx, cancel := context.WithCancelCause(t.Context())
				r.After(func() { cancel(nil) })
				wait := m.Wait
				if name == "a member" {
					wait = l.Wait
				}
				var first, second error
				r.Go("first", func() {
					h.claim(1, func() bool { first = m.Wait(ctx); return first == nil })
				})
				r.Go("second", func() {
					h.claim(1, func() bool { second = wait(t.Context()); return second == nil })
				})
				r.Go("cancel", func() {
					time.Sleep(tick / 2)
					point.At("half of it is over")
					cancel(errGone)
				})
				r.After(func() {
					if second != nil || first != nil && first != errGone {
						t.Errorf("C2: %v, %v", first, second)
					}
					h.check(t, true)
					if took := time.Since(h.start); took != h.took(h.granted()-1) {
						t.Errorf("R2: %v for %d permits", took, h.granted())
					}
				})
			})
		})
	}
}

// R2: what happens to a member, who waits for all notices.
func TestExploreMultiNotices(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		l := New(Per(0, tick), 1, WithSpent(1))
		m := All(New(Every(tick), 1), l)
		start := time.Now()
		r.Go("wait", func() {
			if err := m.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		})
		r.Go("change", func() { l.SetRate(Every(tick)) })
		r.After(func() {
			if took := time.Since(start); took != tick {
				t.Errorf("R2: took %v", took)
			}
		})
	})
}
