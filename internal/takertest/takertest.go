// Package takertest has the laws of a ratelimit.Taker, as tests that run unchanged
// against every implementation: in a synctest bubble if the implementation uses the
// local clock, and in real time if it uses the clock of a server. No test depends on
// speed: each grant lies between two readings of the clock, and all bounds follow from
// these.
package takertest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

// A Subject is an implementation under test.
type Subject struct {
	// New returns a Taker whose keys have their full burst.
	New func(t *testing.T, rate ratelimit.Rate, burst int) ratelimit.Taker[string]
	// Bubble runs a test in a synctest bubble. If it is nil, time is real.
	Bubble func(t *testing.T, test func(*testing.T))
	// Resolution is the resolution of the implementation's clock.
	Resolution time.Duration
	// Ahead is for how long the implementation may hand out permits taken in advance.
	// If it is not 0, Remaining and the delays are estimates, and a RetryAfter is too
	// long by at most the duration of the call from which it is derived.
	Ahead time.Duration
}

// Laws tests all laws, each in a subtest.
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

// slack returns how far two clocks may differ after running for d.
func (s Subject) slack(d time.Duration) time.Duration {
	if s.Bubble != nil {
		return s.Resolution
	}
	return 2*s.Resolution + RealClocks(d)
}

// RealClocks returns how far two real clocks may differ after running for d, if only
// one of them is adjusted.
func RealClocks(d time.Duration) time.Duration { return 2*time.Microsecond + d/500 }

// A tape records the calls of a test and their times.
type tape struct {
	t     *testing.T
	taker ratelimit.Taker[string]
	start time.Time

	mu      sync.Mutex
	longest time.Duration // duration of a call
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

// take takes n permits. It is safe for concurrent use.
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
