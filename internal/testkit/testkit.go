// Package testkit provides helpers for the tests of all packages: Main, the entry point
// of every test program; the watchdog, which makes a hang a failure; the ledger, which
// checks that no value is lost or repeated; the gauge, which checks a limit; and the
// reader of execution traces, which counts how often goroutines park.
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
