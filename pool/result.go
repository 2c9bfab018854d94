package pool

// A Result is how one task ended.
type Result[R any] struct {
	Value R     // what the task returned
	Err   error // its error, or why it did not run
}
