// Package sched provides the synchronization primitives of the engines: atomics,
// mutexes, and the ways to park a goroutine and to wake it.
//
// In an ordinary build the types are aliases of those of sync and sync/atomic, and
// the functions are one statement each. With the build tag points they are shims:
// each operation first tells the explorer which object it is about to access and
// how, and waits until the explorer lets it go on. Package explore uses that to run
// small programs in every order of their goroutines, and to leave out orders that
// differ only in operations that commute. The idea is that of loom
// (https://docs.rs/loom).
//
// An engine that is built on this package follows these rules, which the test of
// this package checks for the folders that it lists:
//
//   - It does not import sync or sync/atomic.
//   - It parks with [Park], [ParkCtx] or [ParkCtxOr] only, on a channel of capacity 1
//     that [Signal] sends to.
//   - It looks whether a context has ended with [Err] or [Ended], ends one with
//     [Cancel], and calls [AfterFunc] in place of that of package context.
//   - Anything else that other goroutines can notice, such as a send on a channel
//     of the user, comes after a call of [Opaque].
//
// With the tag, and a seed in TANDEM_CHAOS, operations that no explorer controls give
// way to other goroutines at random, now and then for long. Ordinary tests so run in
// orders that are rare otherwise:
//
//	TANDEM_CHAOS=random go test -race -tags points ./broadcast
//
// The seed is printed, and can be given in the place of random.
package sched
