package main

import "strings"

// The tests of a stage. Which of them killed a mutant is in the report.
const (
	byTests    = "plain"
	byUsers    = "users"   // the tests of a package that imports the mutated one
	byExplorer = "explore" // every order of goroutines
	byRace     = "race"    // the race detector
)

// A stage is one run of tests that a mutant has to survive.
type stage struct {
	tests        string
	imports, dir string // of the package whose tests they are
}

func (s stage) String() string {
	if s.tests == byTests || s.tests == byUsers {
		return s.imports
	}
	return s.imports + " (" + s.tests + ")"
}

// tags returns the tags to build the tests with, of which some are asked for.
func (s stage) tags(asked string) string {
	if s.tests == byExplorer {
		return strings.TrimPrefix(asked+",points", ",")
	}
	return asked
}

// only returns which tests are run, of those that are asked for.
func (s stage) only(asked string) string {
	if s.tests == byExplorer {
		return "Explore"
	}
	return asked
}
