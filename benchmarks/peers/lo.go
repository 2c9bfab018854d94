package peers

import (
	"context"
	"sync"

	"github.com/samber/lo/parallel"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func init() { work.Add(work.Peer{Name: "lo", Module: "github.com/samber/lo", Map: loMap}) }

// loMap starts a goroutine for each element, since lo has no limit and no errors.
func loMap(ctx context.Context, _ int, in []int, fn work.Step) ([]int, error) {
	var once sync.Once
	var failed error
	out := parallel.Map(in, func(v, _ int) int {
		r, err := fn(ctx, v)
		if err != nil {
			once.Do(func() { failed = err })
		}
		return r
	})
	return out, failed
}
