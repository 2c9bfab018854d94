package bars

import "github.com/tandemgo/tandem/benchmarks/internal/results"

// The rows of what was known beforehand.
const (
	rowPool       = "Pool, empty task, 1 submitter, 8 workers"
	rowSubmitters = "the same, many submitters"
	rowResults    = "Pool with typed results"
	rowPipeline   = "Pipeline, 3 stages + source + sink"
	rowOrdered    = "Ordered concurrent map, 8 workers"
	rowMap        = "fan.Map over 1,000 ints"
	rowAllow      = "ratelimit.Allow"
	rowBroadcast  = "broadcast, all delivered"
)

// All is every bar. Where one falls short, its Why is printed below it.
var All = []Bar{
	{Row: rowPool, Work: "Pool", Kind: Faster, Limit: 8, Rivals: libraries,
		Why: "pond appends to a list without a bound, its workers take it whole, and there is no order to keep, no context to look at and no count to be right. An eighth of its time is less than an uncontended lock, a claim and the sampler's countdown take together, so no queue with one lock could do it. A queue for each worker, with a lock each, was 1.8 times as slow as this one."},
	{Row: rowPool, Work: "Pool", Kind: Faster, Limit: 2, Rivals: named("channels"),
		Why: "A channel with a buffer is one lock as well; see the interval."},
	{Row: rowPool, Work: "Pool", Kind: AtMost, Limit: 0, Metric: results.Allocs},

	{Row: rowSubmitters, Work: "PoolSubmitters", Kind: Faster, Limit: 10, Rivals: named("ants", "ants-generic")},
	{Row: rowSubmitters, Work: "PoolSubmitters", Kind: Faster, Limit: 2, Rivals: named("channels"),
		Why: "A channel with a buffer is one lock as well; see the interval."},

	{Row: rowResults, Work: "PoolResults", Kind: Faster, Limit: 10, Rivals: libraries,
		Why: "What is left is the memory of the result, which goes from the submitter's core to the worker's and back, and the wake-up of a core that has slept between two batches. Of two designs, a ticket for each result and slots in blocks with one ticket for neighbours, this is the second; the first took half as long again."},
	{Row: rowResults, Work: "PoolResults", Kind: AtMost, Limit: 0.01, Metric: results.Allocs,
		Note: "package testing rounds down to a whole number"},
	{Row: rowResults, Work: "PoolFutures", Kind: Faster, Limit: 10, Rivals: libraries,
		Why: "A future is one allocation that two cores write, and on the way back somebody waits for each: these take most of the time, and a channel for each task takes as long. Of two designs, a channel for each future made beforehand or when somebody parks on it, the second is here; the first took twice as long."},
	{Row: rowResults, Work: "PoolFutures", Kind: AtMost, Limit: 1, Metric: results.Allocs},

	{Row: rowPipeline, Work: "Pipeline", Kind: Faster, Limit: 15, Rivals: Rivals{
		Are: "the fastest library whose stages run in parallel", Names: []string{"conc", "ro-observe-on"}},
		Note: "of those measured; rill is not among them", Why: "Five goroutines share two cores, and each item changes hands four times, one at a time so that none is stranded before a slow stage. Handing over chunks costs a fraction of it, and breaks that law; fused stages have fewer hops, but source and sink keep theirs. ro's queues between operators are channels with a buffer: see channels."},
	{Row: rowPipeline, Work: "Pipeline", Kind: Faster, Limit: 4, Rivals: named("channels")},
	{Row: rowPipeline, Work: "Pipeline", Kind: Faster, Limit: 40, Rivals: named("classic"),
		Why: "As above: forty times as fast would be less than two cores need for four hops that publish item by item. See tandem-fused for what one goroutine can do."},
	{Row: rowPipeline, Work: "Pipeline", Kind: AtMost, Limit: 0, Metric: results.Allocs},

	{Row: rowOrdered, Work: "PipelineOrdered", Case: "work=0us", Kind: Faster, Limit: 5, Rivals: libraries},

	{Row: rowMap, Work: "FanMap", Case: "n=1000", Kind: Faster, Limit: 8, Rivals: libraries,
		Why: "A plain loop over the same elements is the floor, and even that is not eight times as fast as the fastest library here."},
	{Row: rowMap, Work: "FanMap", Case: EveryCase, Kind: Near, Limit: 1.5, Rivals: named("loop"),
		Why: "It holds for a thousand elements and more. Below that, what lets others join when an element blocks, a clock, a timer and a context, costs up to a microsecond a call however few the elements are. Of two designs, helpers at once or after 20 µs, the second is here; the first took 1.3 times as long for 1,000 cheap elements."},

	{Row: rowAllow, Work: "Allow", Case: "answer=yes/procs=one", Kind: Near, Limit: 1.35, Rivals: named("clock"),
		Why: "A claim is one look at the clock and one compare-and-swap. The other design, a bucket behind a lock, is mutex in the table."},
	{Row: rowAllow, Work: "Allow", Case: "answer=yes/procs=one", Kind: Faster, Limit: 2, Rivals: named("xtime")},
	{Row: rowAllow, Work: "Allow", Case: "answer=yes/procs=all", Kind: Faster, Limit: 3, Rivals: named("xtime"),
		Why: "Both spend most of their time on the one cache line that all goroutines write."},
	{Row: rowAllow, Work: "Allow", Case: "answer=no/procs=all", Kind: Faster, Limit: 3, Rivals: named("xtime"),
		Why: "Both spend most of their time on the one cache line that all goroutines write."},

	{Row: rowBroadcast, Work: "Broadcast", Case: "n=1", Kind: Faster, Limit: 1, Rivals: libraries},
	{Row: rowBroadcast, Work: "Broadcast", Case: "n=10", Kind: Faster, Limit: 7, Rivals: libraries},
	{Row: rowBroadcast, Work: "Broadcast", Case: "n=100", Kind: Faster, Limit: 14, Rivals: libraries},
	{Row: rowBroadcast, Work: "Broadcast", Case: "n=1000", Kind: Faster, Limit: 40, Rivals: libraries},
	{Row: rowBroadcast, Work: "BroadcastSend", Case: "n=1000", Kind: Growth, Limit: 2, Base: "n=1"},
}
