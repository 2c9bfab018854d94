package pipeline_test

import (
	"testing"
	"testing/synctest"

	"github.com/tandemgo/tandem/internal/testkit"
)

// FuzzStages makes a chain of stages of a script, and a sequential program of the
// same, and runs both on the same items: L3, L4, L5, L7 and C1.
func FuzzStages(f *testing.F) {
	f.Add([]byte{30, 3, 0, 3, 5, 0, 1, 3, 2, 2, 2, 1, 0})
	f.Add([]byte{40, 2, 4, 3, 0, 5, 9, 4, 3, 7, 3, 2, 1, 0, 1, 5})
	f.Add([]byte{25, 3, 8, 2, 9, 6, 10, 2, 3, 12, 4, 1, 2, 2, 100})
	f.Add([]byte{35, 2, 13, 3, 11, 2, 0, 2, 4, 0, 1, 0})
	f.Add([]byte{30, 1, 1, 7, 0, 0, 0, 0, 1, 0, 0}) // skips, and is seen to
	f.Add([]byte{30, 1, 1, 7, 1, 0, 1, 2, 1, 0, 0}) // keeps elsewhere
	f.Fuzz(func(t *testing.T, b []byte) {
		synctest.Test(t, func(t *testing.T) {
			p := newProgram(t, testkit.NewScript(b))
			p.run()
		})
	})
}
