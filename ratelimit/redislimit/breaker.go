package redislimit

import (
	"sync"
	"time"
)

// A breaker keeps callers away from a server that does not answer, and counts the calls. After
// a number of failures in a row it is open; after a pause one caller may try, and its success
// closes it. There is no goroutine: the caller that comes after the pause is the one.
// No goroutine holds mu for longer than a few instructions.
type breaker struct {
	limit int // of failures in a row
	pause time.Duration

	mu       sync.Mutex
	state    BreakerState
	failures int           // in a row, while closed
	until    time.Duration // no caller tries before that, while open
	usual    time.Duration // how long an answer has taken lately

	calls, failed, foreign, trips uint64 // see Stats
}

// A BreakerState is whether Redis is asked.
type BreakerState int

const (
	Closed   BreakerState = iota // Redis is asked
	Open                         // it is not
	HalfOpen                     // one caller asks whether it answers again
)

// String returns the state in words, such as "half-open".
func (s BreakerState) String() string {
	return [...]string{"closed", "open", "half-open"}[s]
}

// MarshalText returns the text of String.
func (s BreakerState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// An outcome is the result of a call, as far as it concerns the server.
type outcome int

const (
	answered outcome = iota
	foreign          // so it has answered
	failed
	unknown // the caller has gone away
)

// enter reports whether the server may be asked; the caller must leave then.
func (b *breaker) enter(now time.Duration) (ok, probe bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == HalfOpen || b.state == Open && now < b.until {
		return false, false
	}
	b.calls++
	if probe = b.state == Open; probe {
		b.state = HalfOpen
	}
	return true, probe
}

// wait returns when it makes sense to ask again.
func (b *breaker) wait(now time.Duration) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == Open && now < b.until {
		return b.until - now
	}
	return b.pause
}

// usually returns how long an answer has taken lately.
func (b *breaker) usually() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.usual
}

// report fills in what the breaker knows.
func (b *breaker) report(st *Stats) {
	b.mu.Lock()
	defer b.mu.Unlock()
	st.Breaker, st.Calls, st.Failures, st.Foreign, st.Trips = b.state, b.calls, b.failed, b.foreign, b.trips
}

// leave notes the outcome of a call. That of a call that began before the breaker opened does
// not change its state.
func (b *breaker) leave(probe bool, is outcome, asked, now time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch took := now - asked; {
	case is == foreign:
		b.foreign++
	case is == failed:
		b.failed++
	case is == answered && b.usual == 0:
		b.usual = took
	case is == answered:
		b.usual += (took - b.usual) / 4
	}
	switch {
	case b.state != Closed && !probe:
	case is == answered || is == foreign:
		b.state, b.failures = Closed, 0
	case is == failed && !probe && b.failures+1 < b.limit:
		b.failures++
	case is == failed:
		b.state, b.failures, b.until = Open, 0, now+b.pause
		if !probe {
			b.trips++
		}
	case probe:
		b.state = Open // another caller may try at once
	}
}
