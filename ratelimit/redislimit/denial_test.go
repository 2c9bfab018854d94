package redislimit

import (
	"testing"
	"time"
)

// A denial never says to try again at once, also if what was owed has come back
// while the answer was on its way.
func TestR7ADenialSaysToWait(t *testing.T) {
	p := of(per(1, time.Second, 1))
	debts := []amount{p.windows[0].cost(1)}
	if d := p.decision(false, debts, 1_000_000, 1); d.OK || d.RetryAfter <= 0 {
		t.Errorf("denied with %+v", d)
	}
}
