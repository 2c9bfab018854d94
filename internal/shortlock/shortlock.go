// Package shortlock provides a lock for contended critical sections of a few dozen
// instructions that never block.
//
// With the build tag points the lock is that of package sched.
package shortlock
