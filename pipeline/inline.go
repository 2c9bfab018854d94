package pipeline

// The instances make the compiler inline the functions that they call, see package broadcast.
var (
	_ = Map[int, int]
	_ = FlatMap[int, int]
	_ = Batch[int]
	_ = Stage[int, int].Run
)
