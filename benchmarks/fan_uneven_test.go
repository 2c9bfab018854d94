package benchmarks

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"time"
)

// BenchmarkFanMapUneven maps 1,000 elements that take 1 µs of a processor's time,
// but for one in 100 that takes 1,000 times as much: spread evenly, or all of
// them in the last tenth, where whoever has been given that tenth beforehand has
// nearly all the work.
//
// x-of-ideal is the time by that of the same work in a plain loop, divided among
// the processors that there are, as far as there are workers for them. The loop
// runs before each operation and is not in its time, so a slower clock slows
// down both. The ideal takes processors that other programs leave alone.
func BenchmarkFanMapUneven(b *testing.B) {
	const n = 1000
	quick, slow := spinRounds(time.Microsecond), spinRounds(time.Millisecond)
	for _, layout := range []struct {
		name   string
		isSlow func(i int) bool
	}{
		{"spread", func(i int) bool { return i%100 == 50 }},
		{"late", func(i int) bool { return i >= n-n/10 && i%10 == 5 }},
	} {
		in := make([]int, n) // rounds of spin
		for i := range in {
			in[i] = quick
			if layout.isSlow(i) {
				in[i] = slow
			}
		}
		for _, lib := range []struct {
			name string
			run  mapper
		}{{"tandem", tandemMap}, {"conc", concMap}} {
			b.Run("lib="+lib.name+"/slow="+layout.name, func(b *testing.B) {
				b.ReportAllocs()
				var work time.Duration
				for b.Loop() {
					b.StopTimer()
					work += timeLoop(b, slices.Values(in), spinItself)
					b.StartTimer()
					out, err := lib.run(b.Context(), in, spinItself)
					checkMapped(b, in, out, err)
				}
				ideal := float64(work) / float64(min(workers, runtime.GOMAXPROCS(0)))
				b.ReportMetric(float64(b.Elapsed())/ideal, "x-of-ideal")
			})
		}
	}
}

// spinItself spins for as many rounds as the element says, and adds one to it.
func spinItself(_ context.Context, rounds int) (int, error) {
	if spin(rounds, rounds) {
		rounds++
	}
	return rounds, nil
}
