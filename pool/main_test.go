package pool_test

import (
	"errors"
	"testing"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pool"
)

func TestMain(m *testing.M) { testkit.Main(m) }

var errTask = errors.New("task failed")

// checkSum fails the test if a snapshot does not add up.
func checkSum(t testing.TB, s pool.Stats) {
	t.Helper()
	sum := uint64(s.Queued+s.Running+s.Waiting) + s.Completed + s.Failed + s.Cancelled
	if s.Submitted != sum {
		t.Errorf("submitted %d, but the states add up to %d: %+v", s.Submitted, sum, s)
	}
}
