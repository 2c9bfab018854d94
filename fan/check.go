package fan

import (
	"context"
	"fmt"

	"github.com/tandemgo/tandem/internal/ctxselect"
)

// check panics if what all functions of the package need is not given.
func check(ctx context.Context, call string, n int, noFunc bool) {
	ctxselect.Require(ctx, "fan: "+call)
	if n < 1 {
		panic(fmt.Sprintf("fan: %s: n must be at least 1, got %d", call, n))
	}
	if noFunc {
		panic("fan: " + call + ": function must not be nil")
	}
}
