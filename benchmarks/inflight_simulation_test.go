package benchmarks

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"

	"github.com/tandemgo/tandem/inflight"
	"github.com/tandemgo/tandem/internal/inflightsim"
)

const roundTrip = 10 * time.Millisecond

// learners make a limiter of each library. That of failsafe adjusts its limit once a second as
// it comes, which is 100 round trips here; tuned, it does so every two round trips.
var learners = []struct {
	name string
	make func() inflightsim.Limiter
}{
	{"tandem AIMD(2 round trips)", learner(inflight.AIMD(2 * roundTrip))},
	{"tandem Gradient", learner(inflight.Gradient())},
	{"tandem Vegas", learner(inflight.Vegas())},
	{"failsafe, as it comes", failsafeLearner(time.Second, 30*time.Second)},
	{"failsafe, tuned", failsafeLearner(2*roundTrip, 60*roundTrip)},
	{"the best fixed limit", func() inflightsim.Limiter { return acquirer(inflight.New(100)) }},
}

func learner(a inflight.Algorithm) func() inflightsim.Limiter {
	return func() inflightsim.Limiter { return acquirer(inflight.NewAdaptive(1, 1000, a)) }
}

func acquirer(l *inflight.Limiter) inflightsim.Limiter {
	return func() (func(bool), bool) {
		p, ok := l.TryAcquire(1)
		return func(dropped bool) {
			if dropped {
				p.Release(inflight.Dropped)
			} else {
				p.Release(inflight.Success)
			}
		}, ok
	}
}

func failsafeLearner(shortest, longest time.Duration) func() inflightsim.Limiter {
	return func() inflightsim.Limiter {
		l := adaptivelimiter.NewBuilder[any]().WithLimits(1, 1000, 20).WithRecentWindow(shortest, longest, 50).Build()
		return func() (func(bool), bool) {
			p, ok := l.TryAcquirePermit()
			return func(dropped bool) {
				if dropped {
					p.Drop()
				} else {
					p.Record()
				}
			}, ok
		}
	}
}

// TestInFlightSimulation prints what adaptive limiters get of a server of 100 slots that is
// saturated: the throughput, as a share of the best, and the latency, as a multiple of that
// without waiting, in the second hundred round trips and after a thousand; how many round trips
// it takes after a tenfold drop of the slots until 25 of them have no more than twice the
// latency; the same after a tenfold rise until they have 90 % of the throughput; and the shares
// of two clients, of which one comes a hundred round trips late, and those of ten, with the
// largest of their latencies.
func TestInFlightSimulation(t *testing.T) {
	var table strings.Builder
	for _, le := range learners {
		row := func(server inflightsim.Server, test func(s *inflightsim.Sim)) {
			synctest.Test(t, func(t *testing.T) {
				test(&inflightsim.Sim{Server: server, Clients: []*inflightsim.Client{{Limit: le.make()}}})
			})
		}
		server := inflightsim.Server{Slots: 100, Service: roundTrip}
		share := func(s *inflightsim.Sim, r inflightsim.Result) string {
			return fmt.Sprintf("%3.0f %% at %5.2f", 100*r.Rate*roundTrip.Seconds()/float64(s.Slots), float64(r.Latency)/float64(roundTrip))
		}
		fmt.Fprintf(&table, "\n%-26s", le.name)
		row(server, func(s *inflightsim.Sim) {
			s.Run(100 * roundTrip)
			fmt.Fprintf(&table, " | %s", share(s, s.Run(100 * roundTrip)[0]))
			s.Run(800 * roundTrip)
			fmt.Fprintf(&table, " | %s", share(s, s.Run(100 * roundTrip)[0]))
			recovers := func(slots int, good func(r inflightsim.Result) bool) {
				s.Slots = slots
				for trips := 0; trips < 2000; trips += 25 {
					if good(s.Run(25 * roundTrip)[0]) {
						fmt.Fprintf(&table, " | %5d", trips)
						return
					}
				}
				fmt.Fprint(&table, " | never")
			}
			recovers(10, func(r inflightsim.Result) bool { return r.Latency <= 2*roundTrip })
			recovers(100, func(r inflightsim.Result) bool { return r.Rate*roundTrip.Seconds() >= 90 })
		})
		row(server, func(s *inflightsim.Sim) {
			s.Run(100 * roundTrip)
			s.Clients = append(s.Clients, &inflightsim.Client{Limit: le.make()})
			s.Run(500 * roundTrip)
			r := s.Run(500 * roundTrip)
			fmt.Fprintf(&table, " | %2.0f : %2.0f", r[0].Rate*roundTrip.Seconds(), r[1].Rate*roundTrip.Seconds())
			for range 8 {
				s.Clients = append(s.Clients, &inflightsim.Client{Limit: le.make()})
				s.Run(20 * roundTrip)
			}
			s.Run(300 * roundTrip)
			least, most, latency := 100.0, 0.0, time.Duration(0)
			for _, r := range s.Run(200 * roundTrip) {
				least, most = min(least, r.Rate*roundTrip.Seconds()), max(most, r.Rate*roundTrip.Seconds())
				latency = max(latency, r.Latency)
			}
			fmt.Fprintf(&table, " | %.1f to %.1f at %.1f", least, most, float64(latency)/float64(roundTrip))
		})
	}
	t.Logf("limiter | second hundred | after a thousand | after a drop | after a rise | two clients | ten%s", table.String())
}
