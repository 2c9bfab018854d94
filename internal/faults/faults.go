// Package faults is the list of what goes wrong in other pools, pipelines,
// limiters and buses, and of how Tandem answers. Each row has an id, and one test
// in each package that it is about: the id is in the name of the test, or in the
// comment above it. The test of this package holds the tests to that.
//
// The letter behind the F says which package: P pool, L pipeline, F fan,
// R ratelimit, B broadcast; C is for all five.
package faults

import "slices"

// A Fault is one row.
type Fault struct {
	ID      string
	Fault   string // what goes wrong elsewhere
	Tandem  string // what happens here instead
	Package string // in which there is a test; empty for all of Packages
}

// Packages are those that rows without a package are about.
var Packages = []string{"pool", "pipeline", "fan", "ratelimit", "broadcast"}

// In returns the packages that a row is about.
func (f Fault) In() []string {
	if f.Package == "" {
		return Packages
	}
	return []string{f.Package}
}

// All returns all rows: those of one package first, then the common ones.
func All() []Fault {
	return slices.Concat(
		of("pool", pool), of("pipeline", pipeline), of("fan", fan),
		of("ratelimit", ratelimit), of("broadcast", broadcast), common)
}

func of(pkg string, rows []Fault) []Fault {
	rows = slices.Clone(rows)
	for i := range rows {
		rows[i].Package = pkg
	}
	return rows
}
