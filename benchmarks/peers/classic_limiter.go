package peers

import (
	"testing"
	"time"
)

// classicLimiter is a channel of tokens that a ticker fills.
type classicLimiter struct {
	tokens chan struct{}
	done   chan struct{}
}

func newClassicLimiter(burst int, every time.Duration) *classicLimiter {
	l := &classicLimiter{tokens: make(chan struct{}, burst), done: make(chan struct{})}
	for range burst {
		l.tokens <- struct{}{}
	}
	go func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				select {
				case l.tokens <- struct{}{}:
				default:
				}
			case <-l.done:
				return
			}
		}
	}()
	return l
}

func (l *classicLimiter) allow() bool {
	select {
	case <-l.tokens:
		return true
	default:
		return false
	}
}

// classicAllow can only say no for as long as a benchmark lasts: it has no more
// tokens than its channel has room.
func classicAllow(tb testing.TB, granting bool) func() bool {
	if granting {
		return nil
	}
	l := newClassicLimiter(1, time.Hour)
	tb.Cleanup(func() { close(l.done) })
	l.allow()
	return l.allow
}
