package fan_test

import (
	"testing"
	"testing/synctest"

	"github.com/tandemgo/tandem/internal/testkit"
)

// FuzzShapes gives the items of a script to one of the functions of the package,
// and to a loop: F1, F3, C1 and C2. The script says how long each item takes, which
// ones fail, and when the caller has enough.
func FuzzShapes(f *testing.F) {
	for shape := range shapes {
		f.Add([]byte{byte(shape), 30, 3, 2, 0, 0, 1, 2, 3, 4, 5, 6})
		f.Add([]byte{byte(shape), 20, 2, 3, 9, 12, 3, 1, 0, 5, 0, 0, 9})
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		synctest.Test(t, func(t *testing.T) {
			newWork(t, testkit.NewScript(b)).run()
		})
	})
}
