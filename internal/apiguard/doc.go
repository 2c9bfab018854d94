// Package apiguard holds the record of the exported API of every public package, and the
// test that compares the code with it. Nothing imports it.
//
// A change of the API that is not recorded fails the test. To record a change that is
// wanted:
//
//	go test ./internal/apiguard -update
//
// The record has the exported declarations, as Go 1.26 sees them. It does not follow a name
// into an internal package that it stands for: before a release, gorelease compares the
// types with those of the last one.
package apiguard
