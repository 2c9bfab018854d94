// Package inflightsim simulates a server and clients that limit their calls in flight
// there, in the bubble of a test: on one goroutine, so that a simulation depends on nothing
// but its parameters.
package inflightsim

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// A Limiter is asked for a permit. If it grants one, it returns how to release it.
type Limiter func() (release func(dropped bool), ok bool)

// A Server serves so many requests at once and lets others wait, first come, first served.
type Server struct {
	Slots   int
	Service time.Duration // of one request
	Queue   int           // requests that may wait; one more is dropped at once. 0: any number
	Thrash  float64       // how much longer Service gets for each waiting request per slot
	Noise   *rand.Rand    // makes half of Service vary, exponentially distributed; nil: it is exact
}

// A Client sends requests, as many as its limiter lets it.
type Client struct {
	Limit   Limiter
	Demand  int // requests at once; 0: any number
	flying  int
	done    int
	dropped int
	spent   time.Duration
}

// A Sim is a server with clients.
type Sim struct {
	Server
	Clients []*Client
	busy    int
	waiting []*request
	events  events
	seq     int
	turn    int
}

type request struct {
	at      time.Time // of its end
	seq     int
	client  *Client
	release func(bool)
	sent    time.Time
	dropped bool
}

// A Result has the figures of a client.
type Result struct {
	Rate    float64       // answers a second
	Latency time.Duration // of an answer, on average
	Dropped int
}

// Run lets d pass, and returns the figures of each client.
func (s *Sim) Run(d time.Duration) []Result {
	for _, c := range s.Clients {
		c.done, c.dropped, c.spent = 0, 0, 0
	}
	end := time.Now().Add(d)
	s.send()
	for len(s.events) > 0 && !s.events[0].at.After(end) {
		r := heap.Pop(&s.events).(*request)
		time.Sleep(time.Until(r.at))
		s.answer(r)
		s.send()
	}
	time.Sleep(time.Until(end))
	var results []Result
	for _, c := range s.Clients {
		results = append(results, Result{float64(c.done) / d.Seconds(), c.spent / time.Duration(max(1, c.done)), c.dropped})
	}
	return results
}

// answer ends a request, and begins those for which there is a slot.
func (s *Sim) answer(r *request) {
	c := r.client
	c.flying--
	if r.dropped {
		c.dropped++
	} else {
		s.busy--
		c.done++
		c.spent += time.Since(r.sent)
	}
	s.serve()
	r.release(r.dropped)
}

// send lets the clients send in turn.
func (s *Sim) send() {
	for refused := 0; refused < len(s.Clients); s.turn++ {
		c := s.Clients[s.turn%len(s.Clients)]
		if c.Demand > 0 && c.flying == c.Demand {
			refused++
			continue
		}
		release, ok := c.Limit()
		if !ok {
			refused++
			continue
		}
		refused = 0
		c.flying++
		r := &request{client: c, release: release, sent: time.Now()}
		if s.Queue > 0 && len(s.waiting) >= s.Queue {
			r.dropped = true
			s.end(r, s.Service/10)
			continue
		}
		s.waiting = append(s.waiting, r)
		s.serve()
	}
}

func (s *Sim) serve() {
	for len(s.waiting) > 0 && s.busy < s.Slots {
		r := s.waiting[0]
		s.waiting = s.waiting[1:]
		s.busy++
		d := float64(s.Service) * (1 + s.Thrash*float64(len(s.waiting))/float64(s.Slots))
		if s.Noise != nil {
			d *= 0.5 + 0.5*s.Noise.ExpFloat64()
		}
		s.end(r, time.Duration(d))
	}
}

func (s *Sim) end(r *request, in time.Duration) {
	s.seq++
	r.at, r.seq = time.Now().Add(in), s.seq
	heap.Push(&s.events, r)
}

type events []*request

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	if !e[i].at.Equal(e[j].at) {
		return e[i].at.Before(e[j].at)
	}
	return e[i].seq < e[j].seq
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(r any)   { *e = append(*e, r.(*request)) }
func (e *events) Pop() any {
	n := len(*e) - 1
	r := (*e)[n]
	*e = (*e)[:n]
	return r
}
