package benchmarks

import (
	"fmt"
	"testing"
	"time"

	"github.com/tandemgo/tandem/pipeline"
)

// BenchmarkPipelineOrdered sends items through one stage of 8 workers that adds
// one, at once or after 1 µs of a processor's time, and keeps the order unless
// the name says otherwise; one operation is 20,000 items, ns/item is what counts.
func BenchmarkPipelineOrdered(b *testing.B) {
	for _, work := range []struct {
		name string
		fn   stageFunc
	}{
		{"0us", plusOne},
		{"1us", plusOneAfter(spinRounds(time.Microsecond))},
	} {
		for _, lib := range []struct {
			flowLib
			inOrder bool
		}{
			{flowLib{"tandem", tandemFlow(pipeline.Map(work.fn, pipeline.Workers(workers)))}, true},
			{flowLib{"tandem-unordered", tandemFlow(pipeline.Map(work.fn, pipeline.Workers(workers), pipeline.Unordered()))}, false},
			{flowLib{"conc", concFlow(workers, work.fn)}, true},
			{flowLib{"channels", channelOrderedFlow(workers, work.fn)}, true},
			{flowLib{"channels-unordered", channelUnorderedFlow(workers, work.fn)}, false},
		} {
			b.Run(fmt.Sprintf("lib=%s/work=%s", lib.name, work.name), func(b *testing.B) {
				benchFlow(b, lib.run, 1, lib.inOrder)
			})
		}
	}
}
