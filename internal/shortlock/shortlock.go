// Package shortlock holds the lock for sections of a few dozen instructions
// that never block, at which many goroutines meet.
//
// With the build tag points its lock is that of package sched.
package shortlock
