package peers

import (
	"testing"

	"github.com/tandemgo/tandem/benchmarks/work"
)

// Careful code written by hand on typed channels: an error travels with its item, and
// no send outlasts the context.
func init() {
	work.Add(work.Peer{
		Name:  "channels",
		Tasks: channelTasks, Results: channelResults, Futures: channelFutures, Waiting: true,
		Stages: channelStages(1024), Ordered: channelOrdered, Unordered: channelUnordered,
		ForEach: channelForEach, Map: channelMap,
		Bus: channelsBus,
	})
	work.Add(work.Peer{
		Name: "channels-unbuffered",
		// Each task goes to a free worker, so none waits behind another.
		Tasks: func(tb testing.TB, workers, _ int, run func(int)) work.Tasks {
			return channelTasks(tb, workers, 0, run)
		},
		Stages: channelStages(0),
	})
}
