// Package proofs checks Tandem against models of it: state machines that rapid
// drives at random, in bubbles of time of their own, and histories of goroutines
// that run at once, for which porcupine finds an order in which a sequential
// model would have done the same, or shows that there is none.
//
//	go test .
//	go test . -rapid.checks=100000 -run Machine
//	go test -tags points .
//
// A machine that fails prints the seed and names the file that play it again. The
// third command plays small histories in every order, see internal/explore, and
// prints the schedule of one that is wrong.
//
// It is a module of its own so that neither library is a dependency of Tandem.
package proofs
