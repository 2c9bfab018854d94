// Package faults lists faults of other pools, pipelines, limiters and buses, and the
// behaviour of Tandem in each case. Each row has an id and one test in each package
// that it concerns: the id is in the name of the test or in the comment above it. The
// test of this package checks that.
//
// The letter after the F is the package: P pool, L pipeline, F fan, R ratelimit, B
// broadcast; C is for all five.
package faults

import "slices"

// A Fault is one row of the list.
type Fault struct {
	ID      string
	Fault   string // the fault elsewhere
	Tandem  string // the behaviour of Tandem
	Package string // the package with the test; empty for all of Packages
}

// Packages are the packages of rows without a package.
var Packages = []string{"pool", "pipeline", "fan", "ratelimit", "broadcast"}

// In returns the packages that a row concerns.
func (f Fault) In() []string {
	if f.Package == "" {
		return Packages
	}
	return []string{f.Package}
}

// All returns all rows: first those of one package, then the common ones.
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
