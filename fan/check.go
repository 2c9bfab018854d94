package fan

import (
	"context"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
)

// check panics if what most functions of the package need is not given.
func check(ctx context.Context, call string, n int) {
	ctxselect.Require(ctx, call)
	if n < 1 { // otherwise no string is made
		misuse.Below(n, 1, call+": n")
	}
}
