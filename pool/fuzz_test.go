package pool_test

import (
	"testing"
	"testing/synctest"

	"github.com/tandemgo/tandem/internal/testkit"
)

// FuzzPool plays a script of all that one can do to a pool, one operation after
// the other, and looks at the laws after each of them.
func FuzzPool(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 4, 0, 4, 0, 4, 0})
	f.Add([]byte{0, 2, 1, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 3, 0, 0, 5, 1, 6, 2, 4, 0, 9})
	f.Add([]byte{1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 7, 0, 0, 0, 4, 7, 3, 0, 4, 0, 10})
	f.Add([]byte{0, 3, 0, 4, 0, 0, 0, 0, 1, 3, 0, 2, 2, 0, 8, 200, 0, 0, 1, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		synctest.Test(t, func(t *testing.T) {
			s := newPoolScript(t, testkit.NewScript(b))
			for s.in.More() && !t.Failed() {
				s.step()
				synctest.Wait()
				s.check()
			}
			s.finish()
		})
	})
}
