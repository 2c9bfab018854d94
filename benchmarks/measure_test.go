package benchmarks

import (
	"flag"
	"testing"

	_ "github.com/tandemgo/tandem/benchmarks/peers" // adds them to package work
	"github.com/tandemgo/tandem/internal/testkit"
)

var countParks = flag.Bool("parks", false, "report how often goroutines park for an operation, instead of times; for use with -benchtime 1x")

// tracedOps is the number of operations run under a trace.
const tracedOps = 20_000

// measure times do for the number of operations that package testing chooses. With
// -parks, it runs it once under a trace instead.
func measure(b *testing.B, do func(ops int)) { measureN(b, tracedOps, do) }

// measureN is measure with the given number of operations under a trace.
func measureN(b *testing.B, traced int, do func(ops int)) {
	b.Helper()
	if *countParks {
		a := testkit.Trace(b, func() { do(traced) })
		b.ReportMetric(float64(a.Parks)/float64(traced), "parks/op")
		b.ReportMetric(0, "ns/op") // a trace takes time itself
		return
	}
	b.ReportAllocs()
	b.ResetTimer()
	do(b.N)
}
