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
		Why: ""},
	{Row: rowPool, Work: "Pool", Kind: Faster, Limit: 2, Rivals: named("channels"),
		Why: ""},
	{Row: rowPool, Work: "Pool", Kind: AtMost, Limit: 0, Metric: results.Allocs,
		Why: ""},

	{Row: rowSubmitters, Work: "PoolSubmitters", Kind: Faster, Limit: 10, Rivals: named("ants", "ants-generic"),
		Why: ""},
	{Row: rowSubmitters, Work: "PoolSubmitters", Kind: Faster, Limit: 2, Rivals: named("channels"),
		Why: ""},

	{Row: rowResults, Work: "PoolResults", Kind: Faster, Limit: 10, Rivals: libraries,
		Why: ""},
	{Row: rowResults, Work: "PoolResults", Kind: AtMost, Limit: 0.01, Metric: results.Allocs,
		Note: "package testing rounds down to a whole number", Why: ""},
	{Row: rowResults, Work: "PoolFutures", Kind: Faster, Limit: 10, Rivals: libraries,
		Why: ""},
	{Row: rowResults, Work: "PoolFutures", Kind: AtMost, Limit: 1, Metric: results.Allocs,
		Why: ""},

	{Row: rowPipeline, Work: "Pipeline", Kind: Faster, Limit: 15, Rivals: Rivals{
		Are: "the fastest library whose stages run in parallel", Names: []string{"conc", "ro-observe-on"}},
		Note: "of those measured; rill is not", Why: ""},
	{Row: rowPipeline, Work: "Pipeline", Kind: Faster, Limit: 4, Rivals: named("channels"),
		Why: ""},
	{Row: rowPipeline, Work: "Pipeline", Kind: Faster, Limit: 40, Rivals: named("classic"),
		Why: ""},
	{Row: rowPipeline, Work: "Pipeline", Kind: AtMost, Limit: 0, Metric: results.Allocs,
		Why: ""},

	{Row: rowOrdered, Work: "PipelineOrdered", Case: "work=0us", Kind: Faster, Limit: 5, Rivals: libraries,
		Why: ""},

	{Row: rowMap, Work: "FanMap", Case: "n=1000", Kind: Faster, Limit: 8, Rivals: libraries,
		Why: ""},
	{Row: rowMap, Work: "FanMap", Case: EveryCase, Kind: Near, Limit: 1.5, Rivals: named("loop"),
		Why: ""},

	{Row: rowAllow, Work: "Allow", Case: "answer=yes/procs=one", Kind: Near, Limit: 1.35, Rivals: named("clock"),
		Why: ""},
	{Row: rowAllow, Work: "Allow", Case: "answer=yes/procs=one", Kind: Faster, Limit: 2, Rivals: named("xtime"),
		Why: ""},
	{Row: rowAllow, Work: "Allow", Case: "answer=yes/procs=all", Kind: Faster, Limit: 3, Rivals: named("xtime"),
		Why: ""},
	{Row: rowAllow, Work: "Allow", Case: "answer=no/procs=all", Kind: Faster, Limit: 3, Rivals: named("xtime"),
		Why: ""},

	{Row: rowBroadcast, Work: "Broadcast", Case: "n=1", Kind: Faster, Limit: 1, Rivals: libraries,
		Why: ""},
	{Row: rowBroadcast, Work: "Broadcast", Case: "n=10", Kind: Faster, Limit: 7, Rivals: libraries,
		Why: ""},
	{Row: rowBroadcast, Work: "Broadcast", Case: "n=100", Kind: Faster, Limit: 14, Rivals: libraries,
		Why: ""},
	{Row: rowBroadcast, Work: "Broadcast", Case: "n=1000", Kind: Faster, Limit: 40, Rivals: libraries,
		Why: ""},
	{Row: rowBroadcast, Work: "BroadcastSend", Case: "n=1000", Kind: Growth, Limit: 2, Base: "n=1",
		Why: ""},
}
