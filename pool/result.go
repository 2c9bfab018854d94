package pool

// A Result is how one task ended.
type Result[R any] struct {
	Value R
	Err   error
}
