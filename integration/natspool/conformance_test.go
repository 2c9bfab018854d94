package natspool_test

import (
	"testing"

	"github.com/tandemgo/tandem/integration/internal/natsserver"
	"github.com/tandemgo/tandem/internal/pooltest"
	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/pool/natspool"
)

// The laws of every pool hold unchanged.
func TestConformance(t *testing.T) {
	js := connect(t, natsserver.Start(t).URL())
	pooltest.Run(t, func(t *testing.T, workers int, fn pool.Func[int, int]) pooltest.Pool {
		return pooltest.Adapt[*natspool.Future[int]](newPool(t, js, newName(t), workers, fn, natspool.WithMaxDeliver(1)))
	})
}
