package spsc

// The instance makes the compiler inline the functions that it calls, see package taskpool.
var _ = New[int]
