package taskpool

// The compiler inlines the functions that a generic function calls, such as the methods of a mutex,
// where the generic function is instantiated, if a package that is imported there has inlined them
// itself. So this package instantiates its functions, and package pool does. Unused instances are
// not linked.
var _ = New[int, int]
