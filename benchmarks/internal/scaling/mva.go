package scaling

// A network is a closed queueing network, with one customer for each core. A core
// works on its own for some time, then passes the stations in their order, where
// it may have to queue, and begins again with the next item.
type network struct {
	alone    float64 // nanoseconds for an item that no one else is needed for
	stations []station
}

// A station serves one customer at a time. With several copies, an item is for any
// one of these, by chance.
type station struct {
	time   float64 // nanoseconds for an item
	copies int
}

// throughput returns the items in a nanosecond for 1, 2 … most cores, the first of
// them at index 0.
//
// It is exact mean value analysis: M. Reiser and S. S. Lavenberg, Mean-Value
// Analysis of Closed Multichain Queuing Networks, JACM 27 (1980); E. D. Lazowska,
// J. Zahorjan, G. S. Graham, K. C. Sevcik, Quantitative System Performance (1984),
// chapter 6. With one station it is the machine-repairman model: cores are the
// machines, the lock is the repairman. It assumes times that are distributed
// exponentially at the stations, first come, first served.
func (w network) throughput(most int) []float64 {
	xs := make([]float64, most)
	queue := make([]float64, len(w.stations)) // mean length at each copy
	for n := 1; n <= most; n++ {
		cycle := w.alone
		stay := make([]float64, len(w.stations))
		for i, st := range w.stations {
			stay[i] = st.time * (1 + queue[i])
			cycle += stay[i]
		}
		x := float64(n) / cycle
		for i, st := range w.stations {
			queue[i] = x / float64(st.copies) * stay[i]
		}
		xs[n-1] = x
	}
	return xs
}

// saturation returns how many cores keep the busiest station busy if nobody ever
// has to wait: from there on, that is what limits. It is where the two asymptotic
// bounds of throughput meet (Lazowska et al., chapter 5).
func (w network) saturation() float64 {
	cycle := w.alone
	for _, st := range w.stations {
		cycle += st.time
	}
	return cycle * w.limit()
}

// limit returns the most items in a nanosecond, with any number of cores.
func (w network) limit() float64 {
	busiest := 0.0
	for _, st := range w.stations {
		busiest = max(busiest, st.time/float64(st.copies))
	}
	return 1 / busiest
}
