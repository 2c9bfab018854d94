package misuse_test

import (
	"testing"
	"time"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// C5: what is wrong is said, and what is right is let through.
func TestC5WordsOfMisuse(t *testing.T) {
	testkit.Panics(t, map[string]func(){
		"pool: New: function must not be nil":                               func() { misuse.Nil(true, "pool: New: function") },
		"pool: New: workers must be at least 1, got 0":                      func() { misuse.Below(0, 1, "pool: New: workers") },
		"pool: WithQueue: size must not be negative, got -1":                func() { misuse.Negative(-1, "pool: WithQueue: size") },
		"pool: WithIdleTimeout: duration must not be negative, got -1s":     func() { misuse.Negative(-time.Second, "pool: WithIdleTimeout: duration") },
		"pipeline: Timeout: duration must be positive, got 0s":              func() { misuse.NotPositive(0, "pipeline: Timeout: duration") },
		"ratelimit: NewKeyed: WithLimits must have a func(int), got a bool": func() { misuse.Untyped[func(int)](true, "ratelimit: NewKeyed: WithLimits") },
	})
	misuse.Nil(false, "nothing")
	misuse.Below(1, 1, "nothing")
	misuse.Negative(0, "nothing")
	misuse.Negative(time.Duration(0), "nothing")
	misuse.NotPositive(1, "nothing")
	if got := misuse.Untyped[func(int)](nil, "nothing"); got != nil {
		t.Error("an option that was not given carries something")
	}
	if got := misuse.Untyped[string]("here", "nothing"); got != "here" {
		t.Errorf("an option that was given carries %q", got)
	}
}
