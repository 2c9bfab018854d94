package ratelimit

// The instance makes the compiler inline the functions that it calls, see package broadcast.
var _ = NewKeyed[int]
