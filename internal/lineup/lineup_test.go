package lineup_test

import (
	"context"
	"testing"

	"github.com/tandemgo/tandem/internal/lineup"
	"github.com/tandemgo/tandem/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// The function is called for its context and for contexts derived from it.
func TestPlaced(t *testing.T) {
	n := 0
	ctx := lineup.With(t.Context(), func() { n++ })
	lineup.Placed(ctx)
	child, cancel := context.WithCancel(ctx)
	defer cancel()
	lineup.Placed(child)
	lineup.Placed(t.Context())
	if n != 2 {
		t.Errorf("called %d times", n)
	}
}
