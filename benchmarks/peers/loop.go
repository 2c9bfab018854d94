package peers

import (
	"context"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func init() { work.Add(work.Peer{Name: "loop", Map: loopMap}) }

// loopMap does the work without a library, on one processor. It calls fn through the
// variable, as the others must.
func loopMap(ctx context.Context, _ int, in []int, fn work.Step) ([]int, error) {
	out := make([]int, len(in))
	for i, v := range in {
		var err error
		if out[i], err = fn(ctx, v); err != nil {
			return out, err
		}
	}
	return out, nil
}
