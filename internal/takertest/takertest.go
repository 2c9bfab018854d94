// Package takertest holds the laws of a ratelimit.Taker, as tests that run unchanged
// against every implementation: in a synctest bubble where time is its own, and in
// real time where it is that of a server. No test depends on how fast anything is:
// what is granted is known to lie between two readings of the clock, and all bounds
// follow from these.
package takertest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

// A Subject is an implementation to be tried.
type Subject struct {
	// New returns a Taker whose keys owe nothing.
	New func(t *testing.T, rate ratelimit.Rate, burst int) ratelimit.Taker[string]
	// Bubble runs a test in a synctest bubble. Where it is nil, time is real.
	Bubble func(t *testing.T, test func(*testing.T))
	// Resolution is that of its clock.
	Resolution time.Duration
	// Ahead is for how long it may hand out what it has taken in advance. What it says
	// besides OK is an estimate then, and a RetryAfter too long by as much as the call
	// took from which it is known.
	Ahead time.Duration
}

// Laws tries all laws, each in a subtest.
func (s Subject) Laws(t *testing.T) {
	for name, law := range map[string]func(*testing.T){
		"R1TheBurstAndNoMore":          s.burst,
		"R1AtOnceFromManyGoroutines":   s.concurrency,
		"R1WindowLaw":                  s.Windows,
		"R2WhatIsDueIsGranted":         s.due,
		"R4AllOrNone":                  s.allOrNone,
		"R4AnEndedContextSpendsNone":   s.ended,
		"R4Misuse":                     s.misuse,
		"R5Extremes":                   s.extremes,
		"R6ADenialSpendsNothing":       s.denial,
		"R6KeysDoNotTouchEachOther":    s.keys,
		"R7RetryAfterIsTight":          s.tight,
		"R7ResetAfterIsWhenAllIsThere": s.reset,
	} {
		t.Run(name, func(t *testing.T) {
			if s.Bubble != nil {
				s.Bubble(t, law)
				return
			}
			t.Parallel()
			law(t)
		})
	}
}

func (s Subject) exact() bool { return s.Ahead == 0 }

// slack is by how much two clocks may differ that have both run for so long.
func (s Subject) slack(d time.Duration) time.Duration {
	if s.Bubble != nil {
		return s.Resolution
	}
	return 2*s.Resolution + RealClocks(d)
}

// RealClocks is by how much real clocks may differ that have run for so long: one is
// adjusted, and the other is not.
func RealClocks(d time.Duration) time.Duration { return 2*time.Microsecond + d/500 }

// A tape is the calls of a test, and when they were.
type tape struct {
	t     *testing.T
	taker ratelimit.Taker[string]
	start time.Time

	mu      sync.Mutex
	longest time.Duration // that a call has taken
}

func (s Subject) tape(t *testing.T, rate ratelimit.Rate, burst int) *tape {
	return &tape{t: t, taker: s.New(t, rate, burst), start: time.Now()}
}

func (x *tape) now() time.Duration { return time.Since(x.start) }

// A call is a decision, and two instants between which it was made.
type call struct {
	ratelimit.Decision
	from, to time.Duration
}

// take takes n permits. Safe for concurrent use.
func (x *tape) take(key string, n int) call {
	from := x.now()
	d, err := x.taker.Take(context.Background(), key, n)
	c := call{d, from, x.now()}
	x.mu.Lock()
	x.longest = max(x.longest, c.to-c.from)
	x.mu.Unlock()
	switch {
	case err != nil:
		x.t.Errorf("Take(%q, %d): %v", key, n, err)
	case d.OK != (d.RetryAfter == 0):
		x.t.Errorf("Take(%q, %d): %+v", key, n, d)
	case d.Remaining < 0 || d.Remaining > d.Limit || d.ResetAfter < 0 || d.RetryAfter < 0:
		x.t.Errorf("Take(%q, %d): %+v", key, n, d)
	}
	return c
}

// is fails the test unless the decision is as given.
func (x *tape) is(what string, c call, ok bool, remaining int) {
	x.t.Helper()
	if c.OK != ok || remaining >= 0 && c.Remaining != remaining {
		x.t.Errorf("%s: %+v, want OK %v and %d remaining", what, c.Decision, ok, remaining)
	}
}

// within fails the test unless min ≤ d ≤ max.
func (x *tape) within(what string, d, least, most time.Duration) {
	x.t.Helper()
	if d < least || d > most {
		x.t.Errorf("%s: %v, want %v to %v", what, d, least, most)
	}
}
