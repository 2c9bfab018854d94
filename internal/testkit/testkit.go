// Package testkit holds what the tests of all packages share: the end of
// every test program (Main), the watchdog that turns a hang into a failure,
// the ledger that proves conservation, the gauge that proves a limit, and the
// reader of execution traces that counts how often goroutines park.
package testkit

import (
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Main runs the tests of a package and fails if a goroutine outlives them.
func Main(m *testing.M) { goleak.VerifyTestMain(m) }

// HangTime is how long Watchdog waits. It never decides whether a test that
// makes progress passes.
const HangTime = 30 * time.Second

// Watchdog calls fn on a goroutine of its own and waits for it to end,
// however it ends. If that takes longer than HangTime, the test fails and
// every stack is printed. It is for real time; inside a synctest bubble a hang
// is a deadlock that the bubble itself reports.
func Watchdog(t testing.TB, fn func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	select {
	case <-done:
	case <-time.After(HangTime):
		buf := make([]byte, 1<<20)
		t.Fatalf("still running after %v:\n%s", HangTime, buf[:runtime.Stack(buf, true)])
	}
}

// Panics calls each function as a subtest and fails unless it panics with its
// key.
func Panics(t *testing.T, calls map[string]func()) {
	t.Helper()
	for want, call := range calls {
		t.Run(want, func(t *testing.T) {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("panicked with %v, want %q", got, want)
				}
			}()
			call()
		})
	}
}
