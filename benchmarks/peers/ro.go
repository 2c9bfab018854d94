package peers

import (
	"context"
	"iter"

	"github.com/samber/ro"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func init() {
	const module = "github.com/samber/ro"
	work.Add(work.Peer{Name: "ro", Module: module, Stages: roStages, Bus: roBus, Synchronous: true})
	work.Add(work.Peer{Name: "ro-observe-on", Module: module, Stages: roObserveOnStages})
}

// roStages is synchronous: each operator of ro calls the next one on the goroutine of
// the source. Its counterpart is our fused pipeline.
func roStages(stages ...work.Step) work.Flow { return roFlow(roMap, stages) }

// roObserveOnStages has queues between the operators, and a goroutine after each queue.
// The first operator runs on the goroutine of the source.
func roObserveOnStages(stages ...work.Step) work.Flow {
	return roFlow(func(step work.Step) roOperator {
		return func(o ro.Observable[int]) ro.Observable[int] {
			return ro.Pipe2(o, roMap(step), ro.ObserveOn[int](1024))
		}
	}, stages)
}

type roOperator = func(ro.Observable[int]) ro.Observable[int]

func roFlow(operator func(work.Step) roOperator, stages []work.Step) work.Flow {
	return func(ctx context.Context, in iter.Seq[int], sink func(int)) error {
		// ro calls this unsafe, like all its sources with one goroutine: it takes no
		// lock for an item.
		flow := ro.NewUnsafeObservableWithContext(func(ctx context.Context, next ro.Observer[int]) ro.Teardown {
			for v := range in {
				next.NextWithContext(ctx, v)
			}
			next.CompleteWithContext(ctx)
			return nil
		})
		for _, step := range stages {
			flow = operator(step)(flow)
		}
		end := make(chan error, 1)
		flow.SubscribeWithContext(ctx, ro.NewObserver(sink, func(err error) { end <- err }, func() { end <- nil }))
		return <-end
	}
}

func roMap(fn work.Step) roOperator {
	return ro.MapErrWithContext(func(ctx context.Context, v int) (int, context.Context, error) {
		out, err := fn(ctx, v)
		return out, ctx, err
	})
}
