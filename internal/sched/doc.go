// Package sched provides the synchronization primitives of the engines: atomics,
// mutexes, and the ways to park a goroutine and to wake it.
//
// In an ordinary build the types are aliases of those of sync and sync/atomic, and the
// functions are one statement each. With the build tag points they are shims: each
// operation first reports its object and kind of access to the explorer, and waits
// until the explorer releases it. Package explore uses that to run small programs in
// every order of their goroutines, except for orders that differ only in operations
// that commute. The idea is that of loom (https://docs.rs/loom).
//
// An engine that uses this package follows these rules. The test of this package checks
// them for the folders that it lists:
//
//   - It does not import sync or sync/atomic.
//   - It parks only with [Park], [ParkCtx] or [ParkCtxOr], on a channel of capacity 1
//     that [Signal] sends to, or on an unbuffered one that [Close] closes.
//   - It checks a context with [Err] or [Ended], ends one with [Cancel], and calls
//     [AfterFunc] in place of that of package context.
//   - Any other operation that other goroutines can observe, such as a send on a
//     channel of the user, follows a call of [Opaque].
//
// With the tag and a seed in TANDEM_CHAOS, operations without an explorer yield to
// other goroutines at random, sometimes for long. So ordinary tests run in orders that
// are rare otherwise:
//
//	TANDEM_CHAOS=random go test -race -tags points ./broadcast
//
// The seed is printed. To repeat a run, give the seed in place of random.
package sched
