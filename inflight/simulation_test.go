package inflight_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/inflight"
	"github.com/tandemgo/tandem/internal/inflightsim"
	"github.com/tandemgo/tandem/internal/testkit"
)

// roundTrip is the latency of the simulated server when nothing waits.
const roundTrip = 10 * time.Millisecond

// learners are what learns in the simulation. The timeout of AIMD is what it is to be: it has
// no other measure.
var learners = []struct {
	name      string
	algorithm func() inflight.Algorithm
}{
	{"AIMD", func() inflight.Algorithm { return inflight.AIMD(2 * roundTrip) }},
	{"Gradient", inflight.Gradient},
	{"Vegas", inflight.Vegas},
}

// client returns a client that asks for as much as l grants.
func client(l *inflight.Limiter) *inflightsim.Client {
	return &inflightsim.Client{Limit: func() (func(bool), bool) {
		p, ok := l.TryAcquire(1)
		return func(dropped bool) {
			if dropped {
				p.Release(inflight.Dropped)
			} else {
				p.Release(inflight.Success)
			}
		}, ok
	}}
}

// learn simulates clients that begin one after the other, with a pause.
func learn(t *testing.T, name string, server inflightsim.Server, clients int, pause time.Duration, test func(t *testing.T, s *inflightsim.Sim)) {
	t.Helper()
	if testkit.Race {
		t.Skip("a simulation runs on one goroutine")
	}
	for _, le := range learners {
		t.Run(fmt.Sprintf("%s/%s", le.name, name), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &inflightsim.Sim{Server: server}
				for i := range clients {
					if i > 0 {
						s.Run(pause)
					}
					s.Clients = append(s.Clients, client(inflight.NewAdaptive(1, 1000, le.algorithm())))
				}
				test(t, s)
			})
		})
	}
}

// check fails the test unless a client got the share of the server, and answers took at most
// so many times as long as without waiting.
func check(t *testing.T, s *inflightsim.Sim, r inflightsim.Result, share, slower float64) {
	t.Helper()
	rate := r.Rate * s.Service.Seconds() / float64(s.Slots)
	latency := float64(r.Latency) / float64(s.Service)
	t.Logf("%.2f of the throughput at %.2f times the latency, %d dropped", rate, latency, r.Dropped)
	if rate < share || latency > slower {
		t.Errorf("want at least %.2f at %.2f times", share, slower)
	}
}

// The limit finds the capacity in 100 round trips: 90 % of what the best fixed limit, which is
// the number of slots, gets, at twice the latency. And it stays there.
func TestI8FindsTheCapacity(t *testing.T) {
	for _, slots := range []int{10, 50, 500} {
		learn(t, fmt.Sprint(slots), inflightsim.Server{Slots: slots, Service: roundTrip}, 1, 0, func(t *testing.T, s *inflightsim.Sim) {
			s.Run(100 * roundTrip)
			check(t, s, s.Run(100 * roundTrip)[0], 0.9, 2)
			s.Run(1000 * roundTrip)
			check(t, s, s.Run(100 * roundTrip)[0], 0.9, 2)
		})
	}
}

// The same with service times that vary: half of each is exponentially distributed. A timeout
// does not fit that, so AIMD is left out.
func TestI8FindsTheCapacityInNoise(t *testing.T) {
	for seed := range seeds() {
		server := inflightsim.Server{Slots: 50, Service: roundTrip, Noise: rand.New(rand.NewPCG(seed, 0))}
		learn(t, fmt.Sprint(seed), server, 1, 0, func(t *testing.T, s *inflightsim.Sim) {
			if t.Name() == fmt.Sprintf("TestI8FindsTheCapacityInNoise/AIMD/%d", seed) {
				return
			}
			s.Run(100 * roundTrip)
			check(t, s, s.Run(400 * roundTrip)[0], 0.85, 2)
		})
	}
}

// The limit recovers from a tenfold drop of the capacity within 200 round trips, and from the
// opposite; it takes a tenfold latency for that of the server.
func TestI8FollowsTheCapacity(t *testing.T) {
	server := inflightsim.Server{Slots: 100, Service: roundTrip}
	learn(t, "slots", server, 1, 0, func(t *testing.T, s *inflightsim.Sim) {
		s.Run(300 * roundTrip)
		s.Slots = 10
		s.Run(200 * roundTrip)
		check(t, s, s.Run(100 * roundTrip)[0], 0.9, 2.1)
		s.Slots = 100
		s.Run(200 * roundTrip)
		check(t, s, s.Run(100 * roundTrip)[0], 0.9, 2)
	})
	learn(t, "service", server, 1, 0, func(t *testing.T, s *inflightsim.Sim) {
		if t.Name() == "TestI8FollowsTheCapacity/AIMD/service" {
			return // its timeout is what it takes for overload
		}
		s.Run(300 * roundTrip)
		s.Service = 10 * roundTrip
		s.Run(200 * s.Service)
		check(t, s, s.Run(100 * s.Service)[0], 0.9, 2)
		s.Service = roundTrip
		s.Run(200 * s.Service)
		check(t, s, s.Run(100 * s.Service)[0], 0.9, 2)
	})
}

// Two clients, of which one comes late, share the server within 20 % of each other.
func TestI8SharesFairly(t *testing.T) {
	learn(t, "two", inflightsim.Server{Slots: 100, Service: roundTrip}, 2, 100*roundTrip, func(t *testing.T, s *inflightsim.Sim) {
		s.Run(500 * roundTrip)
		r := s.Run(500 * roundTrip)
		t.Logf("%.0f and %.0f a second", r[0].Rate, r[1].Rate)
		if low, high := min(r[0].Rate, r[1].Rate), max(r[0].Rate, r[1].Rate); high > 1.2*low {
			t.Error("unfair")
		}
	})
}

// The throughput of a server that gets slower the more waits does not collapse, as it does with
// a fixed limit that is too high.
func TestI8DoesNotCollapse(t *testing.T) {
	server := inflightsim.Server{Slots: 50, Service: roundTrip, Thrash: 1}
	learn(t, "thrash", server, 1, 0, func(t *testing.T, s *inflightsim.Sim) {
		s.Run(300 * roundTrip)
		check(t, s, s.Run(300 * roundTrip)[0], 0.75, 2)
	})
	synctest.Test(t, func(t *testing.T) {
		s := &inflightsim.Sim{Server: server, Clients: []*inflightsim.Client{client(inflight.New(1000))}}
		s.Run(300 * roundTrip)
		r := s.Run(300 * roundTrip)[0]
		if rate := r.Rate * roundTrip.Seconds() / 50; rate > 0.2 {
			t.Errorf("the server does not collapse either: %.2f", rate)
		}
	})
}

// A server that drops what is too much gets little of that, and is busy.
func TestI8LearnsFromDrops(t *testing.T) {
	learn(t, "drops", inflightsim.Server{Slots: 50, Service: roundTrip, Queue: 5}, 1, 0, func(t *testing.T, s *inflightsim.Sim) {
		s.Run(100 * roundTrip)
		r := s.Run(300 * roundTrip)[0]
		check(t, s, r, 0.9, 1.2)
		if total := r.Rate * 3; float64(r.Dropped) > 0.02*total {
			t.Errorf("%d of %.0f dropped", r.Dropped, total)
		}
	})
}

// seeds are fewer with -short.
func seeds() uint64 {
	if testing.Short() {
		return 1
	}
	return 5
}
