package testkit

import (
	"strings"
	"testing"
	"time"
)

func TestWatchdogWaits(t *testing.T) {
	done := false
	Watchdog(t, func() { done = true })
	if !done {
		t.Error("Watchdog returned before its function")
	}
}

// A goroutine that is parked for ever is found, with its stack.
func TestWatchFindsAHang(t *testing.T) {
	done, release := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		park(release)
	}()
	if stacks := watch(done, time.Millisecond, 20); !strings.Contains(stacks, "testkit.park") {
		t.Errorf("the stacks do not show the parked goroutine:\n%s", stacks)
	}
	close(release)
	if stacks := watch(done, time.Hour, 1); stacks != "" {
		t.Error("it has ended, and is said to hang")
	}
}

//go:noinline
func park(release <-chan struct{}) { <-release }

// Goroutines that exchange values do not hang, even if each dump finds them in the same
// places.
func TestWatchLeavesTheSlowAlone(t *testing.T) {
	done, ball := make(chan struct{}), make(chan bool)
	go func() {
		defer close(done)
		for start := time.Now(); time.Since(start) < 300*time.Millisecond; {
			ball <- true
			<-ball
		}
		close(ball)
	}()
	go func() {
		for b := range ball {
			ball <- b
		}
	}()
	if stacks := watch(done, time.Millisecond, 3); stacks != "" {
		t.Errorf("it moves, and is said to hang:\n%s", stacks)
	}
}
