package broadcast_test

import (
	"testing"
	"testing/synctest"

	"github.com/tandemgo/tandem/internal/testkit"
)

// FuzzBroadcast plays a script of operations on a broadcast and on a slice: what
// each subscription reads, misses and has before it is known at any instant.
func FuzzBroadcast(f *testing.F) {
	f.Add([]byte{3, 0, 0, 0, 2, 2, 2, 2, 2, 2, 4, 0, 4, 0, 4, 0})
	f.Add([]byte{1, 0, 2, 0, 2, 2, 2, 2, 4, 0, 0, 1, 0, 2, 2, 5, 0, 3, 6, 1, 8})
	f.Add([]byte{2, 0, 3, 0, 1, 1, 0, 4, 0, 3, 2, 3, 2, 4, 0, 4, 1, 4, 2, 7, 0, 1, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		synctest.Test(t, func(t *testing.T) {
			s := newLogScript(t, testkit.NewScript(b))
			for s.in.More() && !t.Failed() {
				s.step()
				s.settle()
				s.check()
			}
			s.finish()
		})
	})
}
