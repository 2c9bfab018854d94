package bars

import "github.com/tandemgo/tandem/benchmarks/internal/results"

// All has every bar. The Why of a bar is printed if the bar is missed.
var All = []Bar{
	{Work: "Pool", Faster: 8,
		Why: "pond appends to a list without a bound, its workers take it whole, and there is no order to keep, no context to look at and no count to be right. An eighth of its time is less than an uncontended lock, a claim and the sampler's countdown take together, so no queue with one lock could do it. A queue for each worker, with a lock each, was 1.8 times as slow as this one."},
	{Work: "Pool", Faster: 2, Rivals: "channels",
		Why: "A channel with a buffer is one lock as well; see the interval."},
	{Work: "Pool", Metric: results.Allocs, AtMost: 0},

	{Work: "PoolSubmitters", Faster: 10, Rivals: "ants ants-generic"},
	{Work: "PoolSubmitters", Faster: 2, Rivals: "channels",
		Why: "A channel with a buffer is one lock as well; see the interval."},

	{Work: "PoolResults", Faster: 10,
		Why: "What is left is the memory of the result, which goes from the submitter's core to the worker's and back, and the wake-up of a core that has slept between two batches. Of two designs, a ticket for each result and slots in blocks with one ticket for neighbours, this is the second; the first took half as long again."},
	{Work: "PoolResults", Metric: results.Allocs, AtMost: 0.01,
		Note: "rounded down"},
	{Work: "PoolFutures", Faster: 10,
		Why: "A future is one allocation that two cores write, and the submitter waits for each of them: these take most of the time, and a channel for each task takes as long. Of two designs, a channel for each future made beforehand or when somebody parks on it, the second is here; the first took twice as long."},
	{Work: "PoolFutures", Metric: results.Allocs, AtMost: 1},

	{Work: "Pipeline", Faster: 15, Rivals: "conc ro-observe-on",
		Note: "their stages run in parallel; rill is not measured", Why: "Five goroutines share two cores, and each item changes hands four times, one at a time so that none is stranded before a slow stage. Handing over chunks costs a fraction of it, and breaks that law; fused stages have fewer hops, but source and sink keep theirs. ro's queues between operators are channels with a buffer: see channels."},
	{Work: "Pipeline", Faster: 4, Rivals: "channels"},
	{Work: "Pipeline", Faster: 40, Rivals: "classic",
		Why: "As above: forty times as fast would be less than two cores need for four hops that publish item by item. See tandem-fused for what one goroutine can do."},
	{Work: "Pipeline", Metric: results.Allocs, AtMost: 0},

	{Work: "PipelineOrdered", Case: "work=0us", Faster: 5},

	{Work: "FanMap", Case: "n=1000", Faster: 8,
		Why: "A plain loop over the same elements is the floor, and even that is not eight times as fast as the fastest library here."},
	{Work: "FanMap", Case: EveryCase, AtMost: 1.5, Rivals: "loop",
		Why: "It holds for a thousand elements and more. Below that, what lets others join when an element blocks, a clock, a timer and a context, costs up to a microsecond a call however few the elements are. Of two designs, helpers at once or after 20 µs, the second is here; the first took 1.3 times as long for 1,000 cheap elements."},

	{Work: "Allow", Case: "answer=yes/procs=one", AtMost: 1.35, Rivals: "clock",
		Why: "A claim is one look at the clock and one compare-and-swap. The other design, a bucket behind a lock, is mutex in the table."},
	{Work: "Allow", Case: "answer=yes/procs=one", Faster: 2, Rivals: "xtime"},
	{Work: "Allow", Case: "answer=yes/procs=all", Faster: 3, Rivals: "xtime",
		Why: "Both spend most of their time on the one cache line that all goroutines write."},
	{Work: "Allow", Case: "answer=no/procs=all", Faster: 3, Rivals: "xtime",
		Why: "Both spend most of their time on the one cache line that all goroutines write."},

	{Work: "Broadcast", Case: "n=1", Faster: 1},
	{Work: "Broadcast", Case: "n=10", Faster: 7},
	{Work: "Broadcast", Case: "n=100", Faster: 14},
	{Work: "Broadcast", Case: "n=1000", Faster: 40},
	{Work: "BroadcastSend", Case: "n=1000", AtMost: 2, Base: "n=1"},
}
