package scaling

import (
	"container/heap"
	"math/rand/v2"
)

// A spread draws a time with a given mean.
type spread func(r *rand.Rand, mean float64) float64

func exponential(r *rand.Rand, mean float64) float64 { return r.ExpFloat64() * mean }

// constant is the other extreme: an engine's section takes about the same time
// each time.
func constant(_ *rand.Rand, mean float64) float64 { return mean }

// simulate plays w with so many cores until so many items are done and returns the
// items in a nanosecond: a discrete-event simulation, which shares nothing with
// throughput but the description. The same seed gives the same result.
func (w network) simulate(cores, items int, times spread, seed uint64) float64 {
	r := rand.New(rand.NewPCG(seed, 0))
	free := make([][]float64, len(w.stations)) // when each copy is next
	for i, st := range w.stations {
		free[i] = make([]float64, st.copies)
	}
	var events agenda
	for range cores {
		// Not all at the same instant, also where times are constant.
		heap.Push(&events, event{at: r.Float64() * w.alone})
	}
	// Until things have settled, nothing is counted.
	warm := items / 10
	begun := 0.0
	for done := 0; ; {
		e := heap.Pop(&events).(event)
		if e.next == len(w.stations) {
			if done++; done == warm {
				begun = e.at
			}
			if done == warm+items {
				return float64(items) / (e.at - begun)
			}
			heap.Push(&events, event{at: e.at + times(r, w.alone)})
			continue
		}
		// Events come in the order of time, so whoever comes here is behind all who
		// were here before.
		st := free[e.next]
		i := r.IntN(len(st))
		st[i] = max(st[i], e.at) + times(r, w.stations[e.next].time)
		heap.Push(&events, event{at: st[i], next: e.next + 1})
	}
}

// An event is the instant at which a core comes to the next station.
type event struct {
	at   float64
	next int
}

// An agenda is a heap of events.
type agenda []event

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].at < a[j].at }
func (a agenda) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(e any)        { *a = append(*a, e.(event)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}
