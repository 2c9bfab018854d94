package page

import "github.com/tandemgo/tandem/benchmarks/internal/results"

// A shape is how a work is drawn.
type shape int

const (
	none  shape = iota
	dots        // each of the cases that charted lists
	lines       // over the n of the cases
)

// An about says what a work is.
type about struct {
	work   string
	text   string
	op     string // what one operation is
	metric string // what libraries are ranked by, where it is not what a Case says
	shape  shape
	cases  []string // those that are drawn as dots; empty for all
	over   string   // what n counts
}

// abouts is in the order of the page. A work that is not in it comes after them.
var abouts = []about{
	{work: "Pool", op: "task", shape: dots,
		text: "Empty tasks, submitted by one goroutine to 8 workers."},
	{work: "PoolSubmitters", op: "task", shape: dots,
		text: "The same, submitted by 64 goroutines."},
	{work: "PoolWork", op: "task",
		text: "Tasks that take that much of a processor's time."},
	{work: "PoolSlow", op: "task", metric: "p99-wait-ns",
		text: "How long tasks of 1 µs that come 64 at once wait for a worker, where one in 1,000 sleeps for 10 ms."},
	{work: "PoolResults", op: "task", shape: dots,
		text: "Empty tasks whose results are read together, as of a group."},
	{work: "PoolFutures", op: "task", shape: dots,
		text: "Empty tasks with a future each, which is waited for."},
	{work: "PoolWaiting", op: "task", metric: "waiting-bytes/task",
		text: "What a million tasks take of the heap that wait while all workers are busy, and afterwards."},
	{work: "PoolSizes", op: "task",
		text: "Empty tasks of several sizes."},
	{work: "Pipeline", op: "item", shape: dots,
		text: "Three cheap stages between a source and a sink, each on a goroutine of its own where the library has that."},
	{work: "PipelineSizes", op: "item",
		text: "The same with items of several sizes."},
	{work: "PipelineLatency", op: "item",
		text: "One item alone through five idle stages."},
	{work: "PipelineOrdered", op: "item", shape: dots, cases: []string{"work=0us"},
		text: "One stage with 8 workers, results in the order of the items."},
	{work: "PipelineUnordered", op: "item", shape: dots, cases: []string{"work=0us"},
		text: "One stage with 8 workers, results as they are ready."},
	{work: "PipelineParallel", op: "run", metric: "x-of-one",
		text: "200 items through two stages that take a processor's time; x-of-one is the time by that of one stage alone, so 1 is the ideal."},
	{work: "FanMap", op: "slice", shape: lines, over: "elements",
		text: "Adds one to each of n elements of a slice. A plain loop is the floor."},
	{work: "FanMapUneven", op: "slice", metric: "x-of-ideal",
		text: "1,000 elements of which one in 100 takes 1,000 times as much, spread evenly or all late; x-of-ideal is the time by that of work that is divided evenly."},
	{work: "FanForEach", op: "item", shape: dots,
		text: "A cheap function for each item of an iterator, on up to 8 goroutines."},
	{work: "Allow", op: "call", shape: dots, cases: []string{"answer=yes/procs=one", "answer=yes/procs=all", "answer=no/procs=all"},
		text: "Whether something may happen now, from one goroutine and from many. Reading the clock is the floor."},
	{work: "Reserve", op: "call",
		text: "A permit for later."},
	{work: "WaitNotNeeded", op: "call",
		text: "Waiting for a permit that is there."},
	{work: "WaitRate", metric: "of-rate",
		text: "Waiting for permits at a million a second, from 8 goroutines. of-rate is how many were granted by how many there were: less than 1 is slow, more is a broken promise."},
	{work: "Waiters", metric: "cpu-s/s",
		text: "What it costs that a thousand wait, of whom a hundred a second are served."},
	{work: "Keyed", op: "call",
		text: "A limiter for each of a million keys, some of which are asked for much more often. bytes/key is what the heap has grown by."},
	{work: "Broadcast", op: "value", shape: lines, over: "subscribers",
		text: "Values sent to n subscribers, until all of them have had all."},
	{work: "BroadcastPingPong", op: "value",
		text: "The same where all subscribers sleep each time."},
	{work: "BroadcastSend", op: "value",
		text: "What Send costs its caller with n subscribers."},
	{work: "BroadcastStalled", op: "value",
		text: "What one subscriber that has stalled costs the sender, besides 100 that keep up: median and 99th percentile of a value."},
	{work: "BroadcastSizes", op: "value",
		text: "Values of several sizes."},
}

// aboutOf returns what is known of a work.
func aboutOf(w *results.Work) about {
	for _, a := range abouts {
		if a.work == w.Name {
			return a
		}
	}
	return about{work: w.Name, op: "operation"}
}

// rankedBy returns the figure by which a case is ranked.
func (a about) rankedBy(c *results.Case) string {
	if a.metric != "" {
		return a.metric
	}
	return c.Metric()
}
