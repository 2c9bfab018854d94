// Package explore runs small concurrent programs in every order of their goroutines
// that there is. It needs the build tag points.
//
// A run takes place in a bubble of testing/synctest. Each goroutine that comes to an
// operation of package sched, or to a point of package point, waits there until the
// explorer lets it go on, which it does with one at a time; synctest.Wait returns when
// all goroutines wait for the explorer, sleep or have ended, so a run depends on
// nothing but the choices made. If no goroutine can go on, no timer is left and one has
// still not ended, a wake-up has been lost: that is how it shows, at once and every
// time.
//
// # Which orders are run
//
// First come simple orders, with 0, 1 and 2 preemptions at most. Then, if the program
// comes to no point, one order of each class of orders that differ only in operations
// that commute: two operations commute if they access different objects, or both read.
// The objects are what package sched tells. Orders of a class are left out in two ways:
// sleep sets keep what has been explored from being explored again, and a choice is
// explored only if two operations that do not commute could have been performed the
// other way round. If that is too much, what is left of the runs is random, by
// priorities that change at a few places.
//
// What goroutines do between two operations is not ordered by the explorer. A program
// may not share plain variables between its goroutines, unless each access comes after
// [Run.Step]: orders that differ in those accesses alone are taken for the same.
//
// A point hides what its goroutine does after it, so nothing is left out of a program
// that comes to one: all orders with 0, 1, 2 … preemptions are run, and then random
// ones.
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
// A run that fails prints its choices; TANDEM_SCHEDULE set to them runs that one alone.
// TANDEM_SCHEDULES is how many runs there are at most for each program.
// TANDEM_CHECK_PRUNING=1 runs each program by all ways to choose instead, and fails if
// they do not come to the same classes.
package explore
