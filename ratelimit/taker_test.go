package ratelimit_test

import (
	"testing"
	"testing/synctest"

	"github.com/tandemgo/tandem/internal/takertest"
	"github.com/tandemgo/tandem/ratelimit"
)

// R1–R7: what every Taker must do, wherever its state is.
func TestTakerLaws(t *testing.T) {
	takertest.Subject{
		New: func(_ *testing.T, rate ratelimit.Rate, burst int) ratelimit.Taker[string] {
			return ratelimit.NewKeyed[string](rate, burst)
		},
		Bubble:     synctest.Test,
		Resolution: 1,
	}.Laws(t)
}
