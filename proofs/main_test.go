package proofs_test

import (
	"flag"
	"testing"

	"pgregory.net/rapid"

	"github.com/tandemgo/tandem/internal/testkit"
)

// checks is how often a property is checked, if -rapid.checks does not say. A test
// that is short does a fifth.
const checks = "1000"

func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", checks); err != nil { // the command line comes after it
		panic(err)
	}
	testkit.Main(m)
}

// inBubbles checks a property as rapid does, each try in a bubble of its own.
func inBubbles(t *testing.T, property func(r *rapid.T)) {
	t.Helper()
	rapid.Check(t, func(r *rapid.T) { rapid.SyncTest(r, property) })
}
