package broadcast_test

import (
	"testing"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/casttest"
)

// The laws that a broadcast across processes keeps, too.
func TestCast(t *testing.T) {
	casttest.Run(t, func(t *testing.T, capacity int) casttest.Cast {
		b := broadcast.New[int](broadcast.WithCapacity(capacity))
		t.Cleanup(func() { b.Close() })
		return b
	})
}
