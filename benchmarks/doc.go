// Package benchmarks compares Tandem with other ways to do the same work: the classic
// version with any values and channels that Tandem descends from (lib=classic), a typed
// one written by hand on channels (lib=channels), and well-known libraries (lib= their
// names).
//
//	go test -bench . -count 10
//
// All do the same complete work: every result is read and every delivery counted, and a
// benchmark fails if one is missing. Names have the form that benchstat expects:
//
//	benchstat -col /lib
//
// Figures depend on the load of the machine. Ratios of medians depend less on it, and
// the number of parks for an operation hardly at all:
//
//	go test -bench . -benchtime 1x -parks
//
// A park is a goroutine that stops running and waits for a wake-up. It calls the
// scheduler twice. On an idle machine that is cheap, since the waker finds a spinning
// processor. Under load it does not, and the woken goroutine waits behind others. So of
// two libraries that are equally fast here, the one with fewer parks is faster under
// load.
//
//	go run ./cmd/report
//
// runs all benchmarks in interleaved rounds and writes RESULTS.md. And
//
//	go run ./cmd/survive -out FAULTS.md
//
// tries the faults on all libraries. Package work defines the works that are measured;
// package peers adapts the libraries to them, in one short file each.
package benchmarks
