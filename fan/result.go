package fan

// A Result is how the work on one item ended.
type Result[T any] struct {
	Value T     // what the function returned
	Err   error // nil if it succeeded
}
