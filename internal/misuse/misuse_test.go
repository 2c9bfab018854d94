package misuse_test

import (
	"testing"
	"time"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// C5: misuse panics with a text, and correct arguments do not panic.
func TestC5WordsOfMisuse(t *testing.T) {
	testkit.Panics(t, map[string]func(){
		"pool: New: function must not be nil":                           func() { misuse.Nil(true, "pool: New: function") },
		"pool: New: workers must be at least 1, got 0":                  func() { misuse.Below(0, 1, "pool: New: workers") },
		"pool: WithQueue: size must not be negative, got -1":            func() { misuse.Negative(-1, "pool: WithQueue: size") },
		"pool: WithIdleTimeout: duration must not be negative, got -1s": func() { misuse.Negative(-time.Second, "pool: WithIdleTimeout: duration") },
		"pipeline: Timeout: duration must be positive, got 0s":          func() { misuse.NotPositive(0, "pipeline: Timeout: duration") },
		"pool: Go: the zero Pool is not usable, make one with New":      func() { misuse.Zero(true, "pool: Go", "Pool", "New") },
	})
	misuse.Nil(false, "nothing")
	misuse.Below(1, 1, "nothing")
	misuse.Negative(0, "nothing")
	misuse.Negative(time.Duration(0), "nothing")
	misuse.NotPositive(1, "nothing")
	misuse.Zero(false, "nothing", "", "")
}
