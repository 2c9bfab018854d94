package broadcast

import (
	"errors"
	"fmt"
)

// ErrClosed is returned when the broadcast, or the subscription, is closed.
var ErrClosed = errors.New("broadcast: closed")

// ErrFull is returned by TrySend when a Block subscriber has no room, or others
// have been waiting for it longer.
var ErrFull = errors.New("broadcast: a subscriber that blocks is full")

// ErrSlow is what a Disconnect subscription ends with when it has fallen too
// far behind.
var ErrSlow = errors.New("broadcast: subscription was too slow and has ended")

// A GapError is returned by Next and NextBatch where values are missing. The
// call after it goes on behind the gap.
type GapError struct {
	Missed uint64 // how many
}

// Error says how many values are missing.
func (e *GapError) Error() string { return fmt.Sprintf("broadcast: %d values missed", e.Missed) }
