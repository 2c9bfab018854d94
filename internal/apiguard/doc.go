// Package apiguard holds the record of the exported API of every public
// package, and the test that compares the code with it. Nothing imports it.
//
// An incompatible change, or an addition that is not recorded, fails the test
// with its name. To record a change that is wanted:
//
//	go test ./internal/apiguard -update
//
// The record is Go source: the declarations of a package without the bodies of
// functions, as Go 1.26 sees them.
package apiguard
