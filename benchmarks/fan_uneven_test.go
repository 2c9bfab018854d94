package benchmarks

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/tandemgo/tandem/benchmarks/work"
)

// BenchmarkFanMapUneven maps 1,000 elements that take 1 µs of processor time, except
// for one in 100 that takes 1,000 times as much: spread evenly, or all in the last
// tenth, where a worker that was assigned that tenth in advance has nearly all the
// work.
//
// x-of-ideal is the ratio of the time to that of a plain loop divided by the number of
// usable processors, which is at most that of the workers. The loop runs before each
// operation and is not in its time, so a slower clock slows down both. The ideal
// assumes that no other program uses the processors.
func BenchmarkFanMapUneven(b *testing.B) {
	const n = 1000
	quick, slow := work.SpinRounds(time.Microsecond), work.SpinRounds(time.Millisecond)
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
		for _, peer := range work.Peers(hasMap) {
			b.Run("slow="+layout.name+"/lib="+peer.Name, func(b *testing.B) {
				if *countParks {
					b.Skip("it is a comparison of times")
				}
				b.ReportAllocs()
				var alone time.Duration
				for b.Loop() {
					b.StopTimer()
					alone += timeLoop(b, slices.Values(in), spinItself)
					b.StartTimer()
					out, err := peer.Map(b.Context(), work.Workers, in, spinItself)
					checkMapped(b, in, out, err)
				}
				ideal := float64(alone) / float64(min(work.Workers, runtime.GOMAXPROCS(0)))
				b.ReportMetric(float64(b.Elapsed())/ideal, "x-of-ideal")
			})
		}
	}
}

// spinItself spins for as many rounds as the element's value, and adds one to it.
func spinItself(_ context.Context, rounds int) (int, error) {
	if work.Spin(rounds, rounds) {
		rounds++
	}
	return rounds, nil
}
