package peers

import (
	"context"
	"fmt"
	"iter"

	"github.com/tandemgo/tandem/benchmarks/work"
	"github.com/tandemgo/tandem/pipeline"
)

func tandemStages(stages ...work.Step) work.Flow {
	return tandemFlow(chain(pipeline.Then[int, int, int], stages))
}

func tandemFused(stages ...work.Step) work.Flow {
	return tandemFlow(chain(pipeline.Fuse[int, int, int], stages))
}

// tandemObserved has an observer, whose figures are read once in a run.
func tandemObserved(stages ...work.Step) work.Flow {
	var seen pipeline.Observer
	run := tandemFlow(chain(pipeline.Then[int, int, int], stages).Observe(&seen))
	var all uint64 // items of all runs
	return func(ctx context.Context, in iter.Seq[int], sink func(int)) error {
		if err := run(ctx, in, func(v int) { all++; sink(v) }); err != nil {
			return err
		}
		for _, stage := range seen.Stats() {
			if stage.In != all || stage.Out != all {
				return fmt.Errorf("%d items observed to go in and %d out, want %d", stage.In, stage.Out, all)
			}
		}
		return nil
	}
}

func tandemWorkers(opts ...pipeline.Option) work.NewWorkers {
	return func(workers int, stage work.Step) work.Flow {
		return tandemFlow(pipeline.Map(stage, append(opts, pipeline.WithWorkers(workers))...))
	}
}

func chain(join func(a, b pipeline.Stage[int, int]) pipeline.Stage[int, int], stages []work.Step) pipeline.Stage[int, int] {
	all := pipeline.Map(stages[0])
	for _, stage := range stages[1:] {
		all = join(all, pipeline.Map(stage))
	}
	return all
}

func tandemFlow(s pipeline.Stage[int, int]) work.Flow {
	return func(ctx context.Context, in iter.Seq[int], sink func(int)) error {
		for v, err := range s.Run(ctx, pipeline.Seq(in)) {
			if err != nil {
				return err
			}
			sink(v)
		}
		return nil
	}
}
