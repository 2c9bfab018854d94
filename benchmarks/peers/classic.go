package peers

import "github.com/tandemgo/tandem/benchmarks/work"

// The classic versions: what is passed around in tutorials, with any for values.
// Where one would deadlock or lose values in this work, it is given buffers that
// are large enough, or waits.
func init() {
	work.Add(work.Peer{
		Name:  "classic",
		Tasks: classicTasks, Stages: classicStages, Map: classicMap, Allow: classicAllow, Bus: classicBus,
	})
}
