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
// Figures are a loaded machine's opinion; ratios of medians say more, and how
// often goroutines park for an operation is hardly an opinion at all:
//
//	go test -bench . -benchtime 1x -parks
//
// A park is a goroutine that stops running and waits to be woken. It takes the
// scheduler twice, and on an idle machine that is cheap: the waker finds a
// processor that spins. Under load it does not, and each park is a wait behind
// whatever else is to run. So of two libraries that are equally fast here, the one
// that parks less will be the faster one where it matters.
//
//	go run ./cmd/report
//
// runs all of it in interleaved rounds and writes RESULTS.md. And
//
//	go run ./cmd/survive -out FAULTS.md
//
// tries on all of them what Tandem is made to survive. Package work says
// what is measured, package peers fits the libraries to it, one short file each.
package benchmarks
