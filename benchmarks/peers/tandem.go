package peers

import (
	"github.com/tandemgo/tandem/benchmarks/work"
	"github.com/tandemgo/tandem/fan"
	"github.com/tandemgo/tandem/pipeline"
)

// Tandem, in different forms of use.
func init() {
	work.Add(work.Peer{
		Name:  "tandem",
		Tasks: tandemTasks, Results: tandemGroup, Futures: tandemFutures, Waiting: true,
		Stages: tandemStages, Ordered: tandemWorkers(), Unordered: tandemWorkers(pipeline.Unordered()),
		ForEach: fan.ForEach[int], Map: fan.Map[int, int],
		Allow: tandemAllow, Reserve: tandemReserve, Wait: tandemWait, Keyed: tandemKeyed,
		Bus: tandemBus,
	})
	work.Add(work.Peer{Name: "tandem-fused", Stages: tandemFused})
	work.Add(work.Peer{Name: "tandem-observed", Stages: tandemObserved})
	work.Add(work.Peer{Name: "tandem-fan", Ordered: tandemSeq(), Unordered: tandemSeq(fan.Unordered())})
	work.Add(work.Peer{Name: "tandem-all", Bus: tandemAllBus})
}
