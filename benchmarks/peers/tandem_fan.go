package peers

import (
	"context"
	"iter"

	"github.com/tandemgo/tandem/benchmarks/work"
	"github.com/tandemgo/tandem/fan"
)

func tandemSeq(opts ...fan.Option) work.NewWorkers {
	return func(workers int, stage work.Step) work.Flow {
		return func(ctx context.Context, in iter.Seq[int], sink func(int)) error {
			for v, err := range fan.Seq(ctx, workers, in, stage, opts...) {
				if err != nil {
					return err
				}
				sink(v)
			}
			return nil
		}
	}
}
