//go:build points

package ratelimit

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// A call is a claim: what it asked for and got, and when it began and ended, by
// the clock and in the order of all begins and ends.
type call struct {
	n          int
	ok         bool
	from, to   time.Duration
	begin, end int
}

// A history is the claims on a limiter of burst and one permit in each interval.
type history struct {
	burst    int
	interval time.Duration
	start    time.Time

	mu    sync.Mutex
	ticks int
	calls []call
}

// newHistory begins a nanosecond later: a clock that reads 0 counts as unread.
func newHistory(burst int, interval time.Duration) *history {
	time.Sleep(time.Nanosecond)
	return &history{burst: burst, interval: interval, start: time.Now()}
}

// claim makes a claim of n permits.
func (h *history) claim(n int, fn func() bool) (ok bool) {
	h.mu.Lock()
	h.ticks++
	c := call{n: n, begin: h.ticks, from: time.Since(h.start)}
	h.mu.Unlock()
	c.ok = fn()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ticks++
	c.end, c.to = h.ticks, time.Since(h.start)
	h.calls = append(h.calls, c)
	return c.ok
}

// end returns when the last claim ended. A run that the explorer gives up goes on for longer.
func (h *history) end() (at time.Duration) {
	for _, c := range h.calls {
		at = max(at, c.to)
	}
	return at
}

// granted returns how many permits were.
func (h *history) granted() (n int) {
	for _, c := range h.calls {
		if c.ok {
			n += c.n
		}
	}
	return n
}

// took returns how long n permits take after the first one, which was taken at
// once.
func (h *history) took(n int) time.Duration { return time.Duration(n) * h.interval }

// check fails t if there is no order of the calls, each at an instant between its
// begin and its end, in which a limiter that does one thing after the other would
// have given the same answers. If somebody waits, denials are not looked at.
func (h *history) check(t testing.TB, waits bool) {
	t.Helper()
	calls := slices.Clone(h.calls)
	if waits {
		calls = slices.DeleteFunc(calls, func(c call) bool { return !c.ok })
	}
	if !h.explains(calls, 0, 0) {
		t.Errorf("R1: no limiter would have answered so: %+v", h.calls)
	}
}

// explains reports whether the calls can follow, where owed is owed at an instant.
func (h *history) explains(calls []call, owed, at time.Duration) bool {
	if len(calls) == 0 {
		return true
	}
	first := slices.MinFunc(calls, func(a, b call) int { return a.end - b.end }).end
	for i, c := range calls {
		if c.begin > first {
			continue // after one that has ended before it began
		}
		rest := slices.Delete(slices.Clone(calls), i, i+1)
		due := at + owed + time.Duration(c.n-h.burst)*h.interval
		for _, now := range h.instants(calls, c, at, due) {
			debt := max(0, owed-(now-at))
			next := debt + time.Duration(c.n)*h.interval
			fits := next <= time.Duration(h.burst)*h.interval
			if fits != c.ok {
				continue
			}
			if fits {
				debt = next
			}
			if h.explains(rest, debt, now) {
				return true
			}
		}
	}
	return false
}

// instants returns those from at on at which c may have taken effect: when it is
// due, and when something begins or ends.
func (h *history) instants(calls []call, c call, at, due time.Duration) (all []time.Duration) {
	for _, d := range calls {
		all = append(all, d.from, d.to)
	}
	all = append(all, at, due)
	all = slices.DeleteFunc(all, func(now time.Duration) bool { return now < max(at, c.from) || now > c.to })
	slices.Sort(all)
	return slices.Compact(all)
}

// The oracle can say no: the first of two claims has taken the burst.
func TestTheHistoryCanFail(t *testing.T) {
	h := newHistory(1, time.Second)
	for range 2 {
		h.claim(1, func() bool { return true })
	}
	if h.explains(h.calls, 0, 0) {
		t.Error("two permits of a burst of one")
	}
	h.calls[1].to = 2 * time.Second
	if !h.explains(h.calls, 0, 0) {
		t.Error("the second one may have come later")
	}
	h.calls[1].ok = false
	h.calls[1].from = 2 * time.Second
	if h.explains(h.calls, 0, 0) {
		t.Error("a denial of what is due")
	}
}
