// Package explore runs small concurrent programs in every order of their
// goroutines that there is, as far as that order is decided at the points of
// package point. It needs the build tag points.
//
// A run takes place in a bubble of testing/synctest. Each goroutine that comes to
// a point stands there until the explorer lets it go on, which it does with one
// at a time; synctest.Wait says when everybody stands at a point, sleeps or has
// ended, so what a run does depends on nothing but the choices made. If nobody
// stands at a point, no timer is left and somebody has still not ended, somebody
// has been forgotten: that is how a lost wake-up shows, at once and every time.
//
// Choices are made depth-first, with 0, 1, 2 … preemptions at most, so that simple
// schedules come first, and, when there are too many for that, at random by
// priorities that change at a few places. Sources: M. Musuvathi and S. Qadeer,
// Iterative Context Bounding for Systematic Testing of Multithreaded Programs
// (PLDI 2007); S. Burckhardt et al., A Randomized Scheduler with Probabilistic
// Guarantees of Finding Bugs (ASPLOS 2010).
//
// A run that fails prints its choices; TANDEM_SCHEDULE set to them runs that one
// alone. TANDEM_SCHEDULES is how many runs there are at most for each program.
package explore
