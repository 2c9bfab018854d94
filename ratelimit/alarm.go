package ratelimit

import "time"

// An alarm is a timer that is made when it is first needed, by the goroutine
// that parks on it. The zero value is ready.
type alarm struct{ timer *time.Timer }

// in returns a channel on which a value comes after d, and none if d is Never.
// It takes the place of the one returned before.
func (a *alarm) in(d time.Duration) <-chan time.Time {
	switch {
	case d == Never:
		return nil
	case a.timer == nil:
		a.timer = time.NewTimer(d)
	default:
		a.timer.Reset(d)
	}
	return a.timer.C
}

func (a *alarm) stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
}
