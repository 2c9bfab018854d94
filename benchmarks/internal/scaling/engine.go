package scaling

// An engine is what is known of a kind of work before anything is measured.
type engine struct {
	pkg  string // in the names of benchmarks
	what string // n
	// The section that one goroutine at a time can be in, for the model; part is
	// empty if there is nothing to model.
	part    string
	section string
	sides   float64 // how many such sections it is made of, when others have the cache lines
	works   int     // how often an item has work done
	inside  bool    // once of these in the section
	shards  int     // there are so many locks besides, each for some of the items
	next    string  // what limits it next
}

var engines = []engine{
	{
		pkg: "pool", what: "tasks, submitted by one goroutine to 8 workers",
		part: "pool", section: "the inbox: to submit a task", sides: 1, works: 1,
		next: "One inbox, with one lock, through which every task passes on its own: `Go` takes it, writes the task into a chunk, and is gone. " +
			"Workers do not add to that: they have a lock of their own, and take up to 32 tasks at once for it. " +
			"Next in the way is that inbox, then the workers' lock. A batch submit would take the lock once for many tasks; an inbox for each processor " +
			"would divide it, but gives up the one order of acceptance, which is promised with one worker, and was slower when it was tried on two cores.",
	},
	{
		pkg: "pool-waiting", what: "tasks that all wait while the workers are busy",
		next: "A task that waits costs its own size in a chunk, and nothing besides, as long as its neighbours are submitted under the same context. " +
			"The only bound is the one that is set by `WithQueue`.",
	},
	{
		pkg: "pool-group", what: "results, collected by one group",
		part: "pool-group", section: "the inbox: to submit a task and to issue its slot", sides: 1, works: 1,
		next: "The inbox, as above, under whose lock a slot is issued too; whoever crosses a block boundary zeroes the next block there, which is as long as all before it, " +
			"so one submission in so many holds everybody up for a moment that grows with the group. " +
			"Then `landed`: each task that ends pushes itself on one stack by compare-and-swap. " +
			"Blocks double, so a group holds up to twice the slots that it needs, and the slice of results besides: bytes an item depend on where n lies between two powers of two.",
	},
	{
		pkg: "pipeline", what: "items through three stages",
		part: "pipeline", section: "a stage: to take an item and to hand it on", sides: 2, works: 3, inside: true,
		next: "A stage is one goroutine: a chain uses as many cores as it has stages, with the source and the sink, and its pace is that of the slowest, whose work is the section here. " +
			"`Workers` lifts that for one stage. What an item costs besides is a cache line that goes from the sender's core to the receiver's, once for the slot and once for the word `published`; " +
			"`Fuse` saves it where a stage is cheap. Where stages are cheap and cores few, what decides is how often one side runs dry and parks; the model knows of no parking.",
	},
	{
		pkg: "pipeline-ordered", what: "items through a stage of 8 workers, in order",
		part: "pipeline-ordered", section: "a worker's turn: to put a result down and to take an item", sides: 1, works: 1,
		next: "One lock for the crew, taken once an item, under which the result goes into its place, what is due goes on, and the next item is taken. " +
			"Workers could take several items at a turn while each takes no longer than the turn; a slow item would then hold up those behind it in the same hand, which is why it is not done.",
	},
	{
		pkg: "fan-map", what: "elements of a slice",
		part: "fan-map", section: "the caller's own part: to make the slice of results and to read it", sides: 1, works: 1,
		next: "Claims are guided: runs of indexes that halve as less is left, so the counter is touched a few hundred times for a million elements, and never limits. " +
			"What does is the caller's part, alone before and after: the slice of results is made, and zeroed page by page, by one goroutine; for cheap elements memory is the bound, then, and not this package. " +
			"An n that is small is done by the caller before anybody could help.",
	},
	{
		pkg: "ratelimit", what: "claims of one limiter, by 8 goroutines",
		part: "word", section: "the word: to have its cache line and to change it", sides: 1, works: 1,
		next: "One word, changed by one compare-and-swap for each claim that is granted; who loses the race tries again without another look at the clock. " +
			"More cores do not make more grants of one limiter, the cache line can be in one place: that is the price of one exact limit. A denial writes nothing, so denials scale with cores. " +
			"Where that is not enough: take several permits at once, `AllowN`, or limit by key.",
	},
	{
		pkg: "ratelimit-keyed", what: "keys, each seen for the first time",
		part: "word", section: "the count of keys, besides 256 shards", sides: 1, works: 1, shards: 256,
		next: "A key that is there already costs a word of its own, without a lock; all that is measured here are new ones, the dear case: a lock, one of 256, and now and then a table that has to be moved. " +
			"A table grows by about a third each time, so a key is moved some three times in all, to a place that is not in a cache once there are many; " +
			"and whoever triggers the move does it for the whole shard, in one go: with ten million keys that is some forty thousand, while claims of new keys of that shard wait. " +
			"Next: tables that move a few slots at a time, and more shards for more keys.",
	},
	{
		pkg: "broadcast", what: "values to 10 subscribers, by one sender",
		part: "broadcast", section: "the sender: to append a value to the log", sides: 1, works: 1, inside: true,
		next: "One sender does one thing after the other, its own work included; several meet at the lock of the log. Readers take none that others take, and read many values for one look at a word. " +
			"Memory is bounded by the capacity, and by a chunk for each that has stalled: the slowest retains its chunk and no more, or, with `Block`, holds up the senders. " +
			"All sleepers are woken by the sender, one by one: with many that sleep, that is its cost.",
	},
	{
		pkg: "broadcast-senders", what: "values to 10 subscribers, by 8 senders",
		next: "Where the log is full for the slowest `Block` subscriber, senders line up, first come, first served. The first of them sends for all in line when there is room, and they go on without a line until the log is full again: " +
			"a wake-up and a place in line, which is allocated, for each sender and each time it is full, not for each value. Next: the lock of the log, which all senders meet at.",
	},
	{
		pkg: "broadcast-subscribers", what: "subscribers, who each get 100 values",
		next: "A subscriber costs its books and a cursor, and time of its own for what it reads. The one thing that the sender does for all of them is to look for the slowest cursor, of the `Block` subscribers only, once for each capacity of values at most. " +
			"But whoever sleeps is woken by the sender, all of them in one go: where that takes longer than the scheduler lets a goroutine run, the sender is interrupted in it, " +
			"everybody has read the one value and sleeps again when it goes on, and a delivery costs a wake-up instead of a share of one. " +
			"On few processors that begins at some ten thousand subscribers, and shows as a jump, not as a slope. Next: sleepers that wake each other, or a limit to how many are woken before the next value is there.",
	},
}
