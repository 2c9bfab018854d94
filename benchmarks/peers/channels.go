package peers

import (
	"testing"

	"github.com/tandemgo/tandem/benchmarks/work"
)

// What a careful programmer writes by hand on channels, with types: an error
// travels with its item, and no send outlasts the context.
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
		// Each task goes to a worker that is free for it: none waits behind another.
		Tasks: func(tb testing.TB, workers, _ int, run func(int)) work.Tasks {
			return channelTasks(tb, workers, 0, run)
		},
		Stages: channelStages(0),
	})
}
