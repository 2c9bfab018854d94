// Package benchmarks compares Tandem with other ways to do the same work: the
// classic version with any values and channels that Tandem descends from
// (lib=classic), a typed one on channels written by hand (lib=channels), and
// well-known libraries (lib= their names).
//
//	go test -bench . -count 10
//
// All do the same complete work: every result is read, every delivery counted,
// and a benchmark fails if one is missing. Names are made for benchstat:
//
//	benchstat -col /lib
//
// Figures are a loaded machine's opinion; ratios of medians say more.
package benchmarks
