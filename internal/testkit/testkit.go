// Package testkit holds what the tests of all packages share: the end of
// every test program (Main), the watchdog that turns a hang into a failure,
// the ledger that proves conservation, the gauge that proves a limit, and the
// reader of execution traces that counts how often goroutines park.
package testkit

import "testing"

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
