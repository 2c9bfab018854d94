// Package point names the places in the engines at which the order of
// goroutines matters: between the look at a condition and going to sleep, between
// a change and waking whoever waits for it, between a claim and what follows from
// it.
//
// In an ordinary build At does nothing. With the build tag points a test takes hold
// of them: package explore runs goroutines one at a time from point to point, in
// every order there is.
//
// Package sched is what engines are converted to. Points are for those that are not:
// the explorer assumes that a point conflicts with everything, and prunes no order of a
// program that comes to one.
//
// A name that ends with "gives way" is that of a place at which a goroutine looks
// in vain, and looks again until another has done something: all others go on
// before it.
//
// No lock is held at a point, or whoever waits for it would stand still without
// being at one. Two may be, as those who wait for them give way or sleep there: a
// shortlock.Mutex, and a Mutex of this package, which is for what goes on under a
// lock while others work without it.
//
// A package in which only generic code comes to points pays for calls: the
// compiler inlines At there only if code of that package that is not generic
// calls it somewhere.
package point
