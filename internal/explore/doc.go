// Package explore runs small concurrent programs in every possible order of their
// goroutines. It needs the build tag points.
//
// A run takes place in a bubble of testing/synctest. A goroutine that reaches an
// operation of package sched waits there until the explorer releases it. The explorer releases one goroutine at a time, after
// synctest.Wait has returned, that is, when all goroutines wait for the explorer, sleep
// or have ended. So a run depends only on the choices made. If no goroutine can go on,
// no timer is left and one has not ended, a wake-up was lost; the explorer reports that
// at once, in each such order.
//
// # Orders
//
// The explorer first runs orders with at most 0, 1 and 2 preemptions. Then it runs one
// order of each class of orders that differ only in operations that commute. Two operations commute if they access different objects
// or both read; package sched reports the objects. Two methods leave out the other
// orders of a class: sleep sets exclude orders that have been explored, and a choice is
// explored only if two operations that do not commute could have been performed in the
// opposite order. If there are too many classes, the remaining runs are random, with
// priorities that change at a few places.
//
// The explorer does not order the code between two operations. A program may not share
// plain variables between its goroutines unless each access follows [Run.Step]:
// otherwise orders that differ only in those accesses count as the same.
//
// Sources: M. Musuvathi and S. Qadeer, Iterative Context Bounding for Systematic
// Testing of Multithreaded Programs (PLDI 2007); P. Godefroid, Partial-Order Methods
// for the Verification of Concurrent Systems (1996); C. Flanagan and P. Godefroid,
// Dynamic Partial-Order Reduction for Model Checking Software (POPL 2005);
// S. Burckhardt et al., A Randomized Scheduler with Probabilistic Guarantees of Finding
// Bugs (ASPLOS 2010).
//
// # Environment
//
// A run that fails prints its choices; TANDEM_SCHEDULE set to them runs only that
// order. TANDEM_SCHEDULES is the maximum number of runs of each program.
// TANDEM_CHECK_PRUNING=1 runs each program by all methods, and fails if they reach
// different classes.
package explore
