package pool_test

import (
	"testing"

	"github.com/tandemgo/tandem/internal/pooltest"
	"github.com/tandemgo/tandem/pool"
)

// C1, C2, C4, C6, P1, P2, P3, P4: what holds for any pool, wherever its tasks run.
func TestConformance(t *testing.T) {
	pooltest.Run(t, func(_ *testing.T, workers int, fn pool.Func[int, int]) pooltest.Pool {
		return pooltest.Adapt[*pool.Future[int]](pool.New(workers, fn))
	})
}
