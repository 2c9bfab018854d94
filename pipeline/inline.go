package pipeline

// The instances make the compiler inline the functions that they call, see package broadcast.
// Instances of FlatMap and Batch would add nothing but time to compile this package.
var (
	_ = Map[int, int]
	_ = Stage[int, int].Run
)
