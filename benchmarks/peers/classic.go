package peers

import "github.com/tandemgo/tandem/benchmarks/work"

// The classic versions, as in tutorials, with values of type any. If one would deadlock
// or lose values in this work, it gets large enough buffers, or waits.
func init() {
	work.Add(work.Peer{
		Name:  "classic",
		Tasks: classicTasks, Stages: classicStages, Map: classicMap, Allow: classicAllow, Bus: classicBus,
	})
}
